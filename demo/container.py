"""A throwaway container: namespaces and a cgroup of its own, and no container runtime."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

from attrs import define, frozen

WORKLOAD = Path(__file__).parent / "workload.c"


@frozen(kw_only=True)
class Work:
    """How much one round of the workload does; per thread, and `forks` per process."""

    processes: int = 3
    threads: int = 4
    reads: int = 2000
    writes: int = 1500
    opens: int = 100
    failures: int = 50
    forks: int = 10

    @property
    def arguments(self) -> list[str]:
        """The command line of the workload."""
        numbers = (self.processes, self.threads, self.reads, self.writes)
        return [str(one) for one in (*numbers, self.opens, self.failures, self.forks)]

    def calls(self) -> dict[str, tuple[int, int]]:
        """How often each known system call is made in a round, and how often it fails."""
        threads, children = self.processes * self.threads, self.processes * self.forks
        return {
            "read": (threads * self.reads, 0),
            "write": (threads * self.writes, 0),
            "openat": (threads * (self.opens + self.failures), threads * self.failures),
            "close": (threads * self.opens, 0),
            "clone": (children, 0),
            "getppid": (children, 0),
            "wait4": (children, 0),
            "exit_group": (children, 0),
        }


@define
class ThrowawayContainer:
    """The running workload. `pid` is its first process, as the host sees it."""

    pid: int
    cgroup: Path
    container_id: str
    _process: subprocess.Popen[str]

    def work(self, timeout_seconds: float = 30) -> None:
        """Let it do one round, and wait until that is done."""
        os.kill(self.pid, signal.SIGUSR1)
        _expect(self._process, "done", timeout_seconds)


@contextmanager
def throwaway_container(name: str, work: Work) -> Iterator[ThrowawayContainer]:
    """Start a container that waits for work; afterwards nothing of it is left."""
    container_id = uuid.uuid4().hex + uuid.uuid4().hex
    folder = Path(tempfile.mkdtemp(prefix="container-tracer-demo-"))
    with _cgroup(f"pod{uuid.uuid4()}", container_id) as cgroup:
        try:
            program = folder / "workload"
            subprocess.run(["gcc", "-O2", "-Wall", "-pthread", "-o", program, WORKLOAD], check=True)
            process = subprocess.Popen(
                [program, *work.arguments],
                stdout=subprocess.PIPE,
                text=True,
                env={"HOSTNAME": name, "PATH": os.environ.get("PATH", "")},
                preexec_fn=partial(_enter, cgroup),  # noqa: PLW1509 - there is one thread
            )
            try:
                pid = int(_line(process, 10))
                _expect(process, "ready", 10)
                yield ThrowawayContainer(pid, cgroup, container_id, process)
            finally:
                _end(process, cgroup)
        finally:
            shutil.rmtree(folder)


@contextmanager
def _cgroup(*names: str) -> Iterator[Path]:
    """Make a cgroup, in the hierarchy of version 2 if it is mounted."""
    path = _cgroup_root().joinpath("container-tracer-demo", *names)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        for one in (path, *path.parents[: len(names)]):
            with suppress(OSError):  # others may use the uppermost too
                one.rmdir()


def _enter(cgroup: Path) -> None:
    """Move the calling process into the cgroup."""
    (cgroup / "cgroup.procs").write_text("0")


def _cgroup_root() -> Path:
    mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    found = [Path(place) for place, kind in mounts if kind == "cgroup2"]
    found += [Path(place) for place, kind in mounts if kind == "cgroup"]
    if not found:
        raise SystemExit("demo: no cgroup file system is mounted on this machine")
    return found[0]


def _line(process: "subprocess.Popen[str]", timeout_seconds: float) -> str:
    """Read a line; a workload that hangs is killed, which ends the wait."""
    output: IO[str] | None = process.stdout
    if output is None:
        raise RuntimeError("the workload has no output")
    deadline = time.monotonic() + timeout_seconds
    os.set_blocking(output.fileno(), False)
    text = ""
    while not text.endswith("\n"):
        text += output.readline() or ""
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"demo: the workload ended or hangs (it said {text!r})")
        time.sleep(0.002)
    return text.strip()


def _expect(process: "subprocess.Popen[str]", word: str, timeout_seconds: float) -> None:
    said = _line(process, timeout_seconds)
    if said != word:
        raise SystemExit(f"demo: the workload said {said!r} instead of {word!r}")


def _end(process: "subprocess.Popen[str]", cgroup: Path) -> None:
    """Kill everything in the cgroup; the kernel lets it go a moment later."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        pids = (cgroup / "cgroup.procs").read_text().split()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        if not pids and process.poll() is not None:
            break
        time.sleep(0.01)
    process.wait(10)
    if process.stdout is not None:
        process.stdout.close()
