"""What containers leave on a machine when their runtime is gone, and how to be rid of it."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
_MOST_SECONDS = 20


def end_processes(find: Callable[[], Iterable[int]]) -> None:
    """Kill what `find` finds until it finds nothing: what dies may just have made another."""
    deadline = time.monotonic() + _MOST_SECONDS
    while found := [pid for pid in find() if _lives(pid)]:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert time.monotonic() < deadline, f"processes {found} do not die"
        time.sleep(0.005)


def processes_about(programs: Iterable[str], folder: Path) -> Iterator[int]:
    """Find processes that run one of these programs with a path below `folder` as argument."""
    for one in PROC.iterdir():
        if one.name.isdecimal():
            program, *arguments = _read(one / "cmdline").split("\0")
            known = program.rpartition("/")[2] in programs
            if known and any(f"{folder}/" in argument for argument in arguments):
                yield int(one.name)


def processes_below(cgroup: str) -> Iterator[int]:
    """Find processes in a cgroup and all below it, in any hierarchy. It is given as `/path`."""
    for top in _hierarchies(cgroup):
        for here, _, _ in os.walk(top):
            yield from map(int, _read(Path(here) / "cgroup.procs").split())


def remove_cgroup(cgroup: str) -> None:
    """Remove a cgroup, and all below it, from every hierarchy. No process is in it any more."""
    deadline = time.monotonic() + _MOST_SECONDS
    while tops := list(_hierarchies(cgroup)):
        for top in tops:
            for here, _, _ in os.walk(top, topdown=False):
                # The kernel takes a moment to take the dead out.
                with contextlib.suppress(OSError):
                    Path(here).rmdir()
        assert time.monotonic() < deadline, f"{tops} are not empty"
        time.sleep(0.005)


def unmount_below(folder: Path) -> None:
    mounted = [line.split()[1] for line in (PROC / "self/mounts").read_text().splitlines()]
    for place in sorted(mounted, key=len, reverse=True):
        if place.startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", place], check=True)


def _hierarchies(cgroup: str) -> Iterator[Path]:
    tops = [CGROUPS, *(one for one in CGROUPS.iterdir() if one.is_dir())]
    return (top / cgroup.lstrip("/") for top in tops if (top / cgroup.lstrip("/")).is_dir())


def _lives(pid: int) -> bool:
    state = _read(PROC / str(pid) / "stat").rpartition(")")[2].split()
    return bool(state) and state[0] not in "XZ"


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
