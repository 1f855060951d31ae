"""Discovery of real processes in real namespaces and cgroups of this machine."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from container_tracer.adapters.procfs.discovery import ProcfsPodDiscovery
from container_tracer.adapters.procfs.tasks import ProcfsTaskDirectory
from container_tracer.domain.model.cgroup import parse_membership
from container_tracer.domain.model.cgroup_mount import cgroup_mounts
from container_tracer.domain.model.pod import Container

PROC = Path("/proc")
UNSHARE = ("unshare", "--kill-child", "--pid", "--fork")

# After a line of input: one child, two more threads. Both processes end with their input.
WORKER = """
import os, sys, threading
os.read(0, 1)
if os.fork():
    for _ in range(2):
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    os.write(1, b"ready")
os.read(0, 1)
os._exit(0)
"""
TIDS_OF_WORKER = 4


def missing() -> str:
    if os.geteuid() != 0:
        return "only root makes namespaces and cgroups"
    return "" if shutil.which("unshare") else "util-linux has no unshare here"


pytestmark = [pytest.mark.kernel, pytest.mark.skipif(bool(missing()), reason=missing())]


@frozen
class Worker:
    """A started program; its processes do nothing before `go`."""

    process: "subprocess.Popen[bytes]"

    def go(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        os.write(self.process.stdin.fileno(), b"\n")
        assert self.process.stdout.read(5) == b"ready"

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)


@contextlib.contextmanager
def worker(*prefix: str) -> Iterator[Worker]:
    command = [*prefix, sys.executable, "-I", "-S", "-c", WORKER]
    # Unbuffered, so that nothing is read ahead of what the worker says.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        started = Worker(process)
        try:
            yield started
        finally:
            started.end()


def descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                parent = int((folder / "stat").read_bytes().rpartition(b")")[2].split()[1])
                children.setdefault(parent, []).append(int(folder.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def descendants_when(pid: int, count: int) -> list[int]:
    """List a process and its descendants once there are as many as will be."""
    deadline = time.monotonic() + 10
    while len(found := descendants(pid)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def tids_in(pids: list[int]) -> set[int]:
    return {int(task.name) for pid in pids for task in (PROC / str(pid) / "task").iterdir()}


async def container_with(discovery: ProcfsPodDiscovery, tid: int) -> Container | None:
    pods = await discovery.discover()
    return next((c for pod in pods for c in pod.containers if tid in c.tasks), None)


@contextlib.contextmanager
def container_cgroup() -> Iterator[Path]:
    """Make a cgroup such as the kubelet makes, in cgroup v2 if it is mounted, else in v1."""
    mounts = cgroup_mounts((PROC / "self" / "mountinfo").read_text())
    wanted = [m for m in mounts if not m.controllers or "name=systemd" in m.controllers]
    points = [Path(m.mount_point) for m in sorted(wanted, key=lambda m: len(m.controllers))]
    point = next((p for p in points if os.access(p / "cgroup.procs", os.W_OK)), None)
    if point is None:
        pytest.skip("cgroups cannot be made: no cgroup file system is mounted writable")
    top = point / f"kubepods-{os.getpid()}"
    folder = top / f"pod{os.getpid():08x}-0000-4000-8000-000000000000" / f"{os.getpid():064x}"
    try:
        folder.mkdir(parents=True)
        yield folder
    finally:
        for made in sorted(top.glob("**/"), reverse=True):
            remove(made)


def remove(cgroup: Path) -> None:
    """Remove a cgroup; those who have just ended are still members for a moment."""
    deadline = time.monotonic() + 10
    while cgroup.is_dir():
        try:
            cgroup.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


async def test_a_pid_namespace_is_a_container_of_all_its_threads_and_children() -> None:
    discovery = ProcfsPodDiscovery()
    with worker(*UNSHARE) as started:
        started.go()
        unshare, *inside = descendants(started.process.pid)
        container = await container_with(discovery, inside[0])

        assert container is not None
        assert set(container.tasks) == tids_in(inside)
        assert len(container.tasks) == TIDS_OF_WORKER
        assert container.parents == (inside[0],)
        assert container.pid_namespace == (PROC / str(inside[0]) / "ns" / "pid").stat().st_ino
        assert unshare not in container.tasks
        tasks = await ProcfsTaskDirectory().tasks_of(container)
        assert tuple(task.tid for task in tasks) == container.tasks
        assert {task.pid for task in tasks} == set(inside)
    assert await ProcfsTaskDirectory().tasks_of(container) == ()


async def test_of_nested_pid_namespaces_each_is_a_container_in_host_pids() -> None:
    discovery = ProcfsPodDiscovery()
    with worker(*UNSHARE, *UNSHARE) as started:
        started.go()
        _, middle, *inside = descendants(started.process.pid)
        outer = await container_with(discovery, middle)
        inner = await container_with(discovery, inside[0])

        assert outer is not None
        assert inner is not None
        assert outer.tasks == (middle,)
        assert set(inner.tasks) == tids_in(inside)
        assert outer.pod != inner.pod


async def test_own_mounts_and_host_name_make_a_container_in_the_hosts_pid_namespace() -> None:
    if parse_membership((PROC / "self" / "cgroup").read_text()).in_service:
        pytest.skip("the tests run in a systemd service, whose namespaces are no containers")
    discovery = ProcfsPodDiscovery()
    with worker("unshare", "--mount", "--uts") as started, worker("unshare", "--mount") as plain:
        started.go()
        plain.go()
        container = await container_with(discovery, started.process.pid)

        assert container is not None
        assert set(container.tasks) == tids_in(descendants(started.process.pid))
        assert await container_with(discovery, plain.process.pid) is None


async def test_a_container_cgroup_holds_all_that_is_in_it_whatever_its_namespaces() -> None:
    discovery = ProcfsPodDiscovery()
    with container_cgroup() as cgroup, worker() as main, worker(*UNSHARE) as nested:
        below = cgroup / "below"
        below.mkdir()
        for pid in descendants_when(main.process.pid, 1):
            (cgroup / "cgroup.procs").write_text(str(pid))
        for pid in descendants_when(nested.process.pid, 2):
            (below / "cgroup.procs").write_text(str(pid))
        main.go()
        nested.go()
        pids = [*descendants(main.process.pid), *descendants(nested.process.pid)]
        container = await container_with(discovery, main.process.pid)

        assert container is not None
        assert container.container_id == cgroup.name
        assert container.pod_uid == cgroup.parent.name.removeprefix("pod")
        assert set(container.tasks) == tids_in(pids)
        assert {Path(path).name for path in container.cgroups.values()} == {cgroup.name}
        tasks = await ProcfsTaskDirectory().tasks_of(container)
        assert {task.tid for task in tasks} == tids_in(pids)
        assert {task.pid for task in tasks} == set(pids)
        main.end()
        left = await ProcfsTaskDirectory().tasks_of(container)
        assert {task.tid for task in left} == tids_in(descendants(nested.process.pid))
        nested.end()
        assert await ProcfsTaskDirectory().tasks_of(container) == ()


async def test_the_tests_own_process_is_no_container_of_its_own() -> None:
    container = await container_with(ProcfsPodDiscovery(), os.getpid())

    assert container is None or container.cgroups
