"""Facts are read from procfs and sysfs wherever they are, and a refusal is a fact too."""

import errno
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from container_tracer.adapters.system.machine import MachineReader
from container_tracer.adapters.system.readings import link, names, reading, refused
from container_tracer.domain.model.diagnosis.facts import Reading, Refusal


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def reader(tmp_path: Path) -> MachineReader:
    return MachineReader(
        procfs=tmp_path / "proc",
        sysfs=tmp_path / "sys",
        devices=tmp_path / "dev",
        run_paths=(tmp_path / "run", tmp_path / "var"),
    )


def test_an_empty_machine_is_read_without_an_error(reader: MachineReader) -> None:
    missing = Refusal.MISSING
    assert reader.process().status.refusal is missing
    assert reader.process().pid_namespace.refusal is missing
    assert reader.kernel().lockdown.refusal is missing
    assert reader.hardware().online_cpus.refusal is missing
    assert reader.surroundings().commands == {}
    assert reader.surroundings().cri_sockets == {}


def test_this_program_is_read_from_the_procfs_given(reader: MachineReader) -> None:
    own = reader.procfs / "self"
    write(own / "status", "CapEff:\t00\n")
    write(own / "mountinfo", "a mount\n")
    write(own / "attr/current", "unconfined\n")
    (own / "ns").mkdir()
    (own / "ns/pid").symlink_to("pid:[4026531836]")
    write(reader.procfs / "2/comm", "kthreadd\n")
    facts = reader.process()
    assert facts.uid == os.geteuid()
    assert facts.status.text == "CapEff:\t00\n"
    assert facts.mountinfo.text == "a mount\n"
    assert facts.security_profile.text == "unconfined\n"
    assert facts.pid_namespace.text == "pid:[4026531836]"
    assert facts.kernel_thread.words == ["kthreadd"]
    assert facts.nofile == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_kernel_and_hardware_are_read_from_their_files(reader: MachineReader) -> None:
    write(reader.sysfs / "kernel/security/lockdown", "[none]\n")
    write(reader.sysfs / "kernel/btf/vmlinux", "")
    write(reader.sysfs / "bus/event_source/devices/cpu/type", "4")
    write(reader.sysfs / "devices/system/cpu/online", "0-1\n")
    write(reader.sysfs / "devices/system/clocksource/clocksource0/current_clocksource", "tsc\n")
    write(reader.procfs / "sys/kernel/perf_event_paranoid", "2\n")
    write(reader.procfs / "meminfo", "MemAvailable: 1 kB\n")
    kernel, hardware = reader.kernel(), reader.hardware()
    assert kernel.release == os.uname().release
    assert kernel.lockdown.text == "[none]\n"
    assert kernel.has_btf
    assert kernel.event_sources == ("cpu",)
    assert kernel.perf_event_paranoid.words == ["2"]
    assert hardware.online_cpus.text == "0-1\n"
    assert hardware.clock_source.words == ["tsc"]
    assert hardware.meminfo.known


@contextmanager
def short_way(folder: Path) -> Iterator[str]:
    """Lead to a folder in few letters: the path of a socket has 107 at most."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def test_sockets_are_found_once_whatever_paths_lead_to_them(reader: MachineReader) -> None:
    run, var = reader.run_paths
    (run / "containerd").mkdir(parents=True)
    var.symlink_to(run)
    write(run / "crio/crio.sock", "a file that only has the name")
    with short_way(run / "containerd") as short, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{short}/containerd.sock")
    path = str((run / "containerd/containerd.sock").resolve())
    assert reader.surroundings().cri_sockets == {path: True}


def test_command_lines_are_read_word_by_word(reader: MachineReader) -> None:
    write(reader.procfs / "12/cmdline", "python3\0-m\0a.module\0--secret\0word\0")
    write(reader.procfs / "13/cmdline", "")
    write(reader.procfs / "meminfo", "")
    (reader.procfs / "14").mkdir()
    commands = reader.surroundings().commands
    assert commands[12] == ("python3", "-m", "a.module")
    assert set(commands) == {12, 13}


def test_cgroups_of_pods_and_devices_are_seen(reader: MachineReader) -> None:
    (reader.sysfs / "fs/cgroup/systemd/kubepods.slice").mkdir(parents=True)
    write(reader.devices / "vsock", "")
    facts = reader.surroundings()
    assert facts.pod_cgroups == ("kubepods.slice",)
    assert facts.has_vsock


@pytest.mark.parametrize(
    ("number", "refusal"),
    [
        (errno.ENOENT, Refusal.MISSING),
        (errno.ENOTDIR, Refusal.MISSING),
        (errno.EACCES, Refusal.DENIED),
        (errno.EPERM, Refusal.FORBIDDEN),
        (errno.EINVAL, Refusal.FAILED),
    ],
)
def test_why_a_file_cannot_be_read_is_told_apart(number: int, refusal: Refusal) -> None:
    told = refused(OSError(number, os.strerror(number)))
    assert told == Reading(refusal=refusal, reason=os.strerror(number).lower())
    assert not told.known


def test_what_cannot_be_listed_is_empty_and_a_link_may_be_none(tmp_path: Path) -> None:
    assert names(tmp_path / "none") == ()
    write(tmp_path / "file", "\xff")
    assert link(tmp_path / "file").refusal is Refusal.FAILED
    assert reading(tmp_path / "file").known
    assert reading(tmp_path).refusal is Refusal.FAILED
