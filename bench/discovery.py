"""What a scan of a full machine costs: 10,000 processes, half of them in 100 containers.

The processes are real where this user may make cgroups; else they are folders that look like
procfs, on a file system in memory. Prints CPU time of a first scan and of one that knows the
names already, and for each process, as a ratio to just opening, reading and closing its `stat`.
"""

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from container_tracer.adapters.procfs.discovery import ProcfsPodDiscovery
from container_tracer.domain.model.cgroup_mount import cgroup_mounts

BUDGET_SECONDS = 1.0

# Forks sleepers that end with their standard input, the first half of them in the cgroups given.
FORKER = """
import os, sys
total, cgroups = int(sys.argv[1]), sys.argv[2:]
def enter(path):
    with open(path + "/cgroup.procs", "w") as members:
        members.write("0")
def sleepers(count):
    for _ in range(count):
        if os.fork() == 0:
            os.read(0, 1)
            os._exit(0)
for cgroup in cgroups[1:]:
    enter(cgroup)
    sleepers(total // 2 // len(cgroups[1:]))
enter(cgroups[0])
sleepers(total - total // 2)
os.write(1, b"ready")
os.read(0, 1)
for _ in range(total):
    os.wait()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=10_000)
    parser.add_argument("--containers", type=int, default=100)
    parser.add_argument("--fake", action="store_true", help="folders instead of processes")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        procfs = Path("/proc")
        mount = None if options.fake else unified_cgroups()
        if mount:
            print(f"real processes, cgroups below {mount}")
            stack.enter_context(real_processes(mount, options.processes, options.containers))
        else:
            print("folders that look like procfs")
            procfs = stack.enter_context(fake_procfs(options.processes, options.containers))
        report(procfs)


def report(procfs: Path) -> None:
    discovery = ProcfsPodDiscovery(procfs=procfs)
    first, containers, tasks = scan(discovery)
    again, _, _ = scan(discovery)
    processes = sum(name.isdecimal() for name in os.listdir(procfs))  # noqa: PTH208
    floor = bare_reads(procfs)
    print(f"{processes} processes, {containers} containers with {tasks} tasks")
    print(f"{'':12}{'CPU s':>8}{'µs/process':>12}{'ratio to bare reads':>21}")
    for what, spent in (("bare reads", floor), ("first scan", first), ("rescan", again)):
        print(f"{what:12}{spent:8.3f}{spent / processes * 1e6:12.1f}{spent / floor:21.1f}")
    print(f"budget {BUDGET_SECONDS} s: {'kept' if first < BUDGET_SECONDS else 'EXCEEDED'}")


def scan(discovery: ProcfsPodDiscovery) -> tuple[float, int, int]:
    start = time.process_time()
    pods = asyncio.run(discovery.discover())
    spent = time.process_time() - start
    containers = [container for pod in pods for container in pod.containers]
    return spent, len(containers), sum(len(container.tasks) for container in containers)


def bare_reads(procfs: Path) -> float:
    start = time.process_time()
    for name in os.listdir(procfs):  # noqa: PTH208
        if name.isdecimal():
            with contextlib.suppress(OSError):
                descriptor = os.open(f"{procfs}/{name}/stat", os.O_RDONLY)
                os.read(descriptor, 4096)
                os.close(descriptor)
    return time.process_time() - start


def unified_cgroups() -> Path | None:
    mounts = cgroup_mounts(Path("/proc/self/mountinfo").read_text())
    points = (Path(mount.mount_point) for mount in mounts if not mount.controllers)
    return next((point for point in points if os.access(point, os.W_OK)), None)


@contextlib.contextmanager
def real_processes(mount: Path, processes: int, containers: int) -> Iterator[None]:
    top = mount / f"kubepods-bench-{os.getpid()}"
    folders = [top / f"pod{number:032x}" / f"{number:064x}" for number in range(containers)]
    home = mount / _own_cgroup()
    try:
        for folder in folders:
            folder.mkdir(parents=True)
        command = [sys.executable, "-I", "-S", "-c", FORKER, str(processes)]
        with subprocess.Popen(
            [*command, *map(str, (home, *folders))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as forker:
            assert forker.stdout is not None
            assert forker.stdout.read(5) == b"ready"
            yield
    finally:
        for folder in folders:
            for made in (folder, folder.parent):
                remove_cgroup(made)
        remove_cgroup(top)


def _own_cgroup() -> str:
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    return next(line.removeprefix("0::/") for line in lines if line.startswith("0::"))


def remove_cgroup(folder: Path) -> None:
    deadline = time.monotonic() + 10
    while folder.is_dir():
        try:
            folder.rmdir()
        except OSError:
            # Those who have just ended are still members for a moment.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


@contextlib.contextmanager
def fake_procfs(processes: int, containers: int) -> Iterator[Path]:
    memory = "/dev/shm"  # noqa: S108
    place = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as folder:
        procfs = Path(folder)
        for number in range(processes):
            container = number % containers if number < processes // 2 else None
            fake_process(procfs / str(number + 1), number + 1, container)
        yield procfs


def fake_process(folder: Path, pid: int, container: int | None) -> None:
    (folder / "task" / str(pid)).mkdir(parents=True)
    flags = 0x400000
    zeros = " ".join(["0"] * 30)
    (folder / "stat").write_text(
        f"{pid} (worker) S 1 1 1 0 -1 {flags} 0 0 0 0 0 0 0 0 20 0 1 0 {pid} {zeros}\n"
    )
    path = "/" if container is None else f"/kubepods/pod{container:032x}/{container:064x}"
    (folder / "cgroup").write_text(f"0::{path}\n")
    (folder / "ns").mkdir()
    for inode, kind in enumerate(("pid", "mnt", "uts", "net", "ipc"), start=4026531832):
        (folder / "ns" / kind).symlink_to(f"{kind}:[{inode}]")


if __name__ == "__main__":
    main()
