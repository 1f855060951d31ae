"""Record what a kernel says, as test data: formats, sub-buffers, and its own text of them.

Run as root where tracefs is mounted: `python tests/data/record.py tests/data/linux-X.Y-ARCH`.

    header_page, header_page-wide   layout of sub-buffers of one page, and of 64 KiB
    formats.txt.gz                  the `format` of every event, each after "### system:event"
    NAME.npz                        sub-buffers: `data` (uint8) and `cpu` (int16, one for each)
    NAME.trace.txt.gz               the kernel's text of the same events, as people read it
    NAME.fields.txt.gz              the same with `options/fields`: every field of every event
    NAME.stats.txt                  `per_cpu/cpuN/stats` after recording, one block per CPU

The text is taken with recording off and before the sub-buffers are, which consumes them. Each
recording is made in a tracefs instance of its own, which is removed whatever happens.
"""

import ctypes
import gzip
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from attrs import frozen

TRACEFS = Path("/sys/kernel/tracing")
CALLS = ("openat", "read", "write", "close", "getppid", "clock_nanosleep", "clone", "clone3")
MORE_CALLS = ("vfork", "execve", "wait4", "exit", "exit_group", "mmap", "newfstat")
EVENTS = (
    *(f"syscalls:sys_{end}_{call}" for call in CALLS + MORE_CALLS for end in ("enter", "exit")),
    *(f"sched:sched_process_{what}" for what in ("fork", "exec", "exit", "wait")),
    "sched:sched_switch",
    "sched:sched_waking",
    "task:task_newtask",
    "signal:signal_generate",
)


@frozen(kw_only=True)
class Recording:
    """What to record: events of a workload, with a buffer of so many KiB per CPU."""

    name: str
    workload: Callable[[], None]
    events: tuple[str, ...] = EVENTS
    marker: str = "longer than a header can say " * 10
    buffer_kib: int = 1024
    sub_buffer_kib: int = 4


def mixed() -> None:
    """Open, read, write, wait longer than a delta can say, make threads, fork, execute."""
    for _ in range(5):
        os.getppid()
        Path("/proc/self/stat").read_text(encoding="ascii")
    time.sleep(0.2)  # more than 2**27 ns: the kernel writes a time extend
    threads = [threading.Thread(target=_call_often, args=(20,)) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    if (child := os.fork()) == 0:
        os.execv("/bin/true", ["/bin/true"])  # noqa: S606
    os.waitpid(child, 0)
    subprocess.run(["/bin/sh", "-c", "kill -USR1 $$"], check=False)


def _call_often(times: int) -> None:
    for number in range(times):
        os.getppid()
        if number % 5 == 0:
            time.sleep(0.001)


def busy() -> None:
    """Make more events than a tiny buffer holds, of two sizes."""
    os.sched_setaffinity(0, {0})
    libc = ctypes.CDLL(None)
    for number in range(3000):
        libc.getppid()
        if number % 3 == 0:
            libc.close(-1)


def steady() -> None:
    """Make events that fill sub-buffers to the last byte: no room to say how many were lost."""
    os.sched_setaffinity(0, {0})
    libc = ctypes.CDLL(None)
    for _ in range(2000):
        libc.getppid()


GETPPID = ("syscalls:sys_enter_getppid", "syscalls:sys_exit_getppid")
RECORDINGS = (
    Recording(name="mixed", workload=mixed),
    Recording(name="lost", workload=busy, buffer_kib=16),
    Recording(name="lost-uncounted", workload=steady, events=GETPPID, marker="", buffer_kib=8),
    Recording(name="wide", workload=mixed, buffer_kib=2048, sub_buffer_kib=64),
)


@contextmanager
def instance(name: str) -> Iterator[Path]:
    """Make a tracefs instance for the duration of a block."""
    path = TRACEFS / "instances" / name
    path.mkdir()
    try:
        put(path / "tracing_on", "0")
        yield path
    finally:
        put(path / "tracing_on", "0")
        put(path / "events/enable", "0")
        path.rmdir()


def put(path: Path, value: str) -> None:
    """Write to a file of tracefs."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def record(recording: Recording, folder: Path) -> None:
    """Make one recording in the folder."""
    with instance(f"record_{recording.name}_{os.getpid()}") as path:
        put(path / "trace_clock", "mono")
        put(path / "buffer_subbuf_size_kb", str(recording.sub_buffer_kib))
        put(path / "buffer_size_kb", str(recording.buffer_kib))
        put(path / "options/event-fork", "1")
        run_followed(path, recording)
        put(path / "tracing_on", "0")
        _save(path, recording, folder)


def run_followed(path: Path, recording: Recording) -> None:
    """Run the workload in a child whose events, and whose children's, are recorded."""
    gate_out, gate_in = os.pipe()
    if (child := os.fork()) == 0:
        os.close(gate_in)
        os.read(gate_out, 1)
        recording.workload()
        os._exit(0)
    os.close(gate_out)
    put(path / "set_event_pid", str(child))
    for event in recording.events:
        system, _, name = event.partition(":")
        put(path / "events" / system / name / "enable", "1")
    put(path / "tracing_on", "1")
    if recording.marker:
        put(path / "trace_marker", recording.marker)
    os.close(gate_in)
    os.waitpid(child, 0)


def _save(path: Path, recording: Recording, folder: Path) -> None:
    for option, ending in (("0", "trace"), ("1", "fields")):
        put(path / "options/fields", option)
        _compress(folder / f"{recording.name}.{ending}.txt.gz", (path / "trace").read_bytes())
    cpus = sorted((path / "per_cpu").glob("cpu*"), key=lambda one: int(one.name[3:]))
    stats = "".join(f"{cpu.name}\n{(cpu / 'stats').read_text(encoding='ascii')}" for cpu in cpus)
    (folder / f"{recording.name}.stats.txt").write_text(stats, encoding="ascii")
    size = recording.sub_buffer_kib * 1024
    pages = [(int(cpu.name[3:]), page) for cpu in cpus for page in take_pages(cpu, size)]
    np.savez_compressed(
        folder / f"{recording.name}.npz",
        data=np.frombuffer(b"".join(page for _, page in pages), dtype=np.uint8),
        cpu=np.array([cpu for cpu, _ in pages], dtype=np.int16),
    )
    ending = "-wide" if recording.sub_buffer_kib > 4 else ""
    layout = (path / "events/header_page").read_text(encoding="ascii")
    (folder / f"header_page{ending}").write_text(layout, encoding="ascii")


def take_pages(cpu: Path, size: int) -> Iterator[bytes]:
    """Take all sub-buffers of a CPU out of the kernel."""
    descriptor = os.open(cpu / "trace_pipe_raw", os.O_RDONLY | os.O_NONBLOCK)
    try:
        while page := os.read(descriptor, size):
            yield page
    except BlockingIOError:
        pass
    finally:
        os.close(descriptor)


def save_formats(folder: Path) -> None:
    """Save the format of every event there is."""
    parts = []
    for path in sorted((TRACEFS / "events").glob("*/*/format")):
        name = f"{path.parent.parent.name}:{path.parent.name}"
        parts.append(f"### {name}\n{path.read_text(encoding='ascii')}")
    _compress(folder / "formats.txt.gz", "".join(parts).encode())


def _compress(path: Path, content: bytes) -> None:
    path.write_bytes(gzip.compress(content, 9, mtime=0))


def main() -> None:
    """Record everything into the folder named on the command line."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    save_formats(folder)
    for recording in RECORDINGS:
        record(recording, folder)


if __name__ == "__main__":
    main()
