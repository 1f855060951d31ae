"""Tracefs instances of the benchmark's own, removed whatever happens."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TRACEFS = Path("/sys/kernel/tracing")
BUFFER_KB = 8192


def instances() -> frozenset[str]:
    """Name all instances there are."""
    return frozenset(one.name for one in (TRACEFS / "instances").iterdir())


def wait_for(known: frozenset[str], *, seconds: float = 5.0) -> None:
    """Wait until there are no other instances than these."""
    deadline = time.monotonic() + seconds
    while instances() - known and time.monotonic() < deadline:
        time.sleep(0.005)


@contextmanager
def removed(path: Path) -> Iterator[None]:
    """Remove an instance that a tool made and may have left."""
    try:
        yield
    finally:
        if path.is_dir():
            (path / "events/enable").write_text("0")
            _remove(path)


@contextmanager
def recording(pid: int) -> Iterator[Path]:
    """Record all system calls of a process and of those it starts; nobody reads them."""
    path = TRACEFS / "instances" / f"bench-{os.getpid()}"
    with removed(path):
        path.mkdir()
        (path / "tracing_on").write_text("0")
        (path / "trace_clock").write_text("mono")
        (path / "buffer_size_kb").write_text(str(BUFFER_KB))
        (path / "options/event-fork").write_text("1")
        (path / "set_event_pid").write_text(str(pid))
        (path / "events/syscalls/enable").write_text("1")
        (path / "tracing_on").write_text("1")
        yield path


def lost(instance: Path) -> int:
    """How many events the kernel overwrote or dropped before they were read."""
    stats = (path.read_text() for path in instance.glob("per_cpu/cpu*/stats"))
    found = (re.findall(r"^(?:overrun|dropped events): (\d+)", one, re.MULTILINE) for one in stats)
    return sum(int(count) for counts in found for count in counts)


def _remove(path: Path) -> None:
    # A reader that was just ended may hold a file of it for a moment.
    for _ in range(50):
        with suppress(OSError):
            path.rmdir()
            return
        time.sleep(0.1)
    path.rmdir()
