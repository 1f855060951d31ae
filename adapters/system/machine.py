"""What a machine says about itself: files of procfs and sysfs, as texts."""

import os
import platform
import resource
import shutil
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from attrs import frozen

from ...domain.model.cri_sockets import candidate_sockets
from ...domain.model.diagnosis.facts import (
    HardwareFacts,
    KernelFacts,
    ProcessFacts,
    SurroundingFacts,
)
from .readings import link, names, reading

POD_CGROUPS = ("kubepods", "kubepods.slice")
"""What the kubelet calls the cgroup above those of all pods, by cgroup driver."""

_COMMAND_WORDS = 3
"""Enough for `python -m MODULE`, and for an interpreter with a script."""


@frozen(kw_only=True)
class MachineReader:
    """Reads what this user may read; nothing is changed, and nothing missing is an error."""

    procfs: Path = Path("/proc")
    sysfs: Path = Path("/sys")
    devices: Path = Path("/dev")
    run_paths: tuple[Path, ...] = (Path("/run"), Path("/var/run"))

    def process(self) -> ProcessFacts:
        """Read what the kernel says of this program."""
        own = self.procfs / "self"
        return ProcessFacts(
            uid=os.geteuid(),
            status=reading(own / "status"),
            uid_map=reading(own / "uid_map"),
            mountinfo=reading(own / "mountinfo"),
            pid_namespace=link(own / "ns/pid"),
            kernel_thread=reading(self.procfs / "2/comm"),
            security_profile=reading(own / "attr/current"),
            nofile=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        )

    def kernel(self) -> KernelFacts:
        """Read what kernel this is, and what it permits."""
        sysctl = self.procfs / "sys/kernel"
        return KernelFacts(
            release=platform.release(),
            architecture=platform.machine(),
            lockdown=reading(self.sysfs / "kernel/security/lockdown"),
            selinux_enforce=reading(self.sysfs / "fs/selinux/enforce"),
            perf_event_paranoid=reading(sysctl / "perf_event_paranoid"),
            unprivileged_bpf=reading(sysctl / "unprivileged_bpf_disabled"),
            cgroup_controllers=reading(self.procfs / "cgroups"),
            has_btf=(self.sysfs / "kernel/btf/vmlinux").exists(),
            event_sources=names(self.sysfs / "bus/event_source/devices"),
        )

    def hardware(self) -> HardwareFacts:
        """Read what processors, memory and clocks there are."""
        cpus = self.sysfs / "devices/system/cpu"
        clocks = self.sysfs / "devices/system/clocksource/clocksource0"
        return HardwareFacts(
            online_cpus=reading(cpus / "online"),
            isolated_cpus=reading(cpus / "isolated"),
            tickless_cpus=reading(cpus / "nohz_full"),
            meminfo=reading(self.procfs / "meminfo"),
            clock_source=reading(clocks / "current_clocksource"),
            clock_sources=reading(clocks / "available_clocksource"),
        )

    def surroundings(self) -> SurroundingFacts:
        """Read what else runs here; containers are not counted."""
        return SurroundingFacts(
            cri_sockets=self._sockets(),
            pod_cgroups=self._pod_cgroups(),
            commands=dict(self._commands()),
            listening=(reading(self.procfs / "net/tcp"), reading(self.procfs / "net/tcp6")),
            has_vsock=(self.devices / "vsock").exists(),
            has_bpftrace=shutil.which("bpftrace") is not None,
        )

    def _sockets(self) -> Mapping[str, bool]:
        run_paths = [str(run) for run in self.run_paths]
        host_root = "" if self.procfs == Path("/proc") else f"{self.procfs}/1/root"
        found: dict[tuple[int, int], str] = {}
        for path in candidate_sockets(run_paths, host_root=host_root):
            with suppress(OSError):
                one = Path(path).stat()
                if stat.S_ISSOCK(one.st_mode):  # /var/run usually is /run
                    found.setdefault((one.st_dev, one.st_ino), path)
        return {path: os.access(path, os.R_OK | os.W_OK) for path in found.values()}

    def _pod_cgroups(self) -> tuple[str, ...]:
        root = self.sysfs / "fs/cgroup"
        folders = (root, root / "unified", root / "systemd", root / "memory")
        found = (name for folder in folders for name in names(folder))
        return tuple(dict.fromkeys(name for name in found if name in POD_CGROUPS))

    def _commands(self) -> Iterable[tuple[int, tuple[str, ...]]]:
        for name in names(self.procfs):
            if name.isdecimal() and (line := reading(self.procfs / name / "cmdline")).known:
                yield int(name), tuple(line.text.split("\0", _COMMAND_WORDS)[:_COMMAND_WORDS])
