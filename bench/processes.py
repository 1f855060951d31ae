"""Processes: started, measured, and ended whatever happens."""

import os
import re
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from attrs import frozen

END_SECONDS = 30


@frozen
class Ran:
    """A program that has ended: its CPU time with that of all it started, and what it said."""

    code: int
    cpu_ns: int
    output: str


class NotRun(Exception):
    """A tool does not work here; the text says why."""


@contextmanager
def ended(process: "subprocess.Popen[Any]") -> Iterator[None]:
    """End a process that ends with its input, gently, then by force."""
    try:
        yield
    except BaseException:
        process.kill()
        raise
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run(command: list[str], *, folder: Path, seconds: float = 120) -> Ran:
    """Run a program to its end, its output in a file so that it never waits for a reader."""
    path = folder / "output"
    with path.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,  # so that what the tool started can be ended with it
        )
        code, cpu_ns = _reaped(process, command[0], seconds)
    return Ran(code, cpu_ns, path.read_text(errors="replace"))


def _reaped(process: "subprocess.Popen[bytes]", name: str, seconds: float) -> tuple[int, int]:
    descriptor = os.pidfd_open(process.pid)
    try:
        _await_end(descriptor, name, seconds)
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    finally:
        os.close(descriptor)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, round((usage.ru_utime + usage.ru_stime) * 1e9)


def _await_end(descriptor: int, name: str, seconds: float) -> None:
    if not select.select([descriptor], [], [], seconds)[0]:
        raise NotRun(f"{name} did not end within {seconds:.0f} s")


def compiled(source: Path, folder: Path, *flags: str) -> Path:
    """Compile a C program; `NotRun` says what the compiler said."""
    program = folder / source.stem
    try:
        done = subprocess.run(
            ["gcc", "-O2", "-pthread", "-o", program, source, *flags],
            check=False,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        raise NotRun("gcc is not installed") from None
    if done.returncode:
        raise NotRun(f"{source.name} does not compile: {done.stderr.strip()[-300:]}")
    return program


def line_of(stream: IO[str] | None) -> str:
    """Read a line of a process's output; none at all means that it has ended."""
    line = stream.readline() if stream else ""
    if not line:
        raise NotRun("it ended without an answer")
    return line


def children_of(pid: int) -> list[int]:
    """Return the processes that a process's first thread has started."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cpu_ns(pid: int) -> int:
    """CPU time of all living threads of a process, in nanoseconds."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def resident_mb(pid: int) -> float:
    """Resident memory of a process, in MB of 2 ** 20 bytes."""
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0
