"""A source of events: one tracefs instance and its pipes."""

import asyncio
import errno
import os
from collections.abc import Iterable, Mapping

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from ...domain.model.stats import CpuCounters, parse_cpu_counters
from ...ports.kernel_tracer import SubBuffers
from .errors import tracing_errors
from .instance import Instance

MAX_VECTORS = 1024
"""IOV_MAX: so many sub-buffers fit into one readv."""


@define(eq=False)
class TracefsSource:
    """Reads an instance that has been set up; `close` removes the instance."""

    _instance: Instance
    formats: Mapping[str, str]
    header_page: str
    _sub_buffer_size: int
    _pipes: dict[int, int] = field(factory=dict)
    _arena: NDArray[np.uint8] = field(factory=lambda: np.empty(0, dtype=np.uint8))
    _vectors: list[memoryview] = field(factory=list)
    _unfollowed: set[int] = field(factory=set)
    _percent: int = 0

    @property
    def name(self) -> str:
        """Name of the instance."""
        return self._instance.path.name

    def open_pipes(self) -> None:
        """Open the raw pipe of every CPU that is online, or none."""
        try:
            for cpu in self._cpus():
                path = self._instance.path / f"per_cpu/cpu{cpu}/trace_pipe_raw"
                pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
                if _has_buffer(pipe, self._sub_buffer_size):
                    self._pipes[cpu] = pipe
                else:
                    os.close(pipe)
        except OSError:
            self._close_pipes()
            raise

    def _cpus(self) -> list[int]:
        folders = (self._instance.path / "per_cpu").glob("cpu*")
        return sorted(int(folder.name.removeprefix("cpu")) for folder in folders)

    def follow(self, tids: Iterable[int]) -> None:
        """Add tids to the list of those recorded, and take them off that of those not."""
        wanted = set(tids)
        if not wanted:
            return
        with tracing_errors(f"follow {len(wanted)} tasks in {self.name}"):
            if self._unfollowed:
                # The kernel has added the children of those on it.
                unwanted = self._listed("set_event_notrace_pid")
                self._unfollowed = unwanted - wanted
                if unwanted & wanted:
                    self._instance.write("set_event_notrace_pid", _lines(self._unfollowed))
            self._instance.append("set_event_pid", map(str, sorted(wanted)))

    def unfollow(self, tids: Iterable[int]) -> None:
        """Add tids to the list of those not recorded, which goes before the other."""
        unwanted = set(tids)
        if not unwanted:
            return
        with tracing_errors(f"leave {len(unwanted)} tasks in {self.name}"):
            self._instance.append("set_event_notrace_pid", map(str, sorted(unwanted)))
            # A task that ended before is on the list for ever: its tid will be another's.
            if gone := unwanted - self._listed("set_event_pid"):
                left = self._listed("set_event_notrace_pid") - gone
                self._instance.write("set_event_notrace_pid", _lines(left))
        self._unfollowed |= unwanted

    def following(self) -> frozenset[int]:
        """Return the tids that are recorded."""
        with tracing_errors(f"list the tasks of {self.name}"):
            unwanted = self._listed("set_event_notrace_pid") if self._unfollowed else set()
            return frozenset(self._listed("set_event_pid") - unwanted)

    def _listed(self, name: str) -> set[int]:
        """Return a list as the kernel has it: it adds the children of tasks, and drops the dead."""
        return {int(word) for word in self._instance.read(name).split() if word.isdecimal()}

    def start(self) -> None:
        """Begin to record."""
        with tracing_errors(f"start recording in {self.name}"):
            self._instance.record(on=True)

    def stop(self) -> None:
        """Record no more."""
        with tracing_errors(f"stop recording in {self.name}"):
            self._instance.record(on=False)

    async def wait(self, *, percent: int = 0) -> None:
        """Wait until a CPU's buffer has something in it, or is so full."""
        if percent != self._percent:
            with tracing_errors(f"set the watermark of {self.name}"):
                self._instance.write("buffer_percent", str(percent))
            self._percent = percent
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        try:
            for pipe in self._pipes.values():
                loop.add_reader(pipe, _resolve, waiter)
            await waiter
        finally:
            for pipe in self._pipes.values():
                loop.remove_reader(pipe)

    def read(self, limit_bytes: int) -> SubBuffers:
        """Take whole sub-buffers of each CPU, with one system call each.

        The bytes are valid until the next call.
        """
        count = max(1, min(limit_bytes // self._sub_buffer_size, MAX_VECTORS))
        self._make_room(count)
        size, position = self._sub_buffer_size, 0
        cpus: list[NDArray[np.int16]] = []
        capped = set()
        with tracing_errors(f"read {self.name}"):
            for cpu, pipe in self._pipes.items():
                taken = self._take(pipe, position, count)
                position += taken
                cpus.append(np.full(taken, cpu, dtype=np.int16))
                if taken == count:
                    capped.add(cpu)
        return SubBuffers(
            data=self._arena[: position * size],
            cpu=np.concatenate(cpus) if cpus else np.empty(0, dtype=np.int16),
            size=size,
            capped=frozenset(capped),
        )

    def _make_room(self, per_cpu: int) -> None:
        size, pages = self._sub_buffer_size, per_cpu * len(self._pipes)
        if len(self._vectors) < pages:
            self._arena = np.empty(pages * size, dtype=np.uint8)
            whole = self._arena.data
            self._vectors = [whole[n * size : (n + 1) * size] for n in range(pages)]

    def _take(self, pipe: int, position: int, count: int) -> int:
        try:
            taken = os.readv(pipe, self._vectors[position : position + count])
        except BlockingIOError:
            return 0
        return taken // self._sub_buffer_size

    def counters(self) -> tuple[CpuCounters, ...]:
        """Read the `stats` file of each CPU, also of those that came online after the start."""
        with tracing_errors(f"read the counters of {self.name}"):
            return tuple(
                parse_cpu_counters(cpu, self._instance.read(f"per_cpu/cpu{cpu}/stats"))
                for cpu in self._cpus()
            )

    def close(self) -> None:
        """Close the pipes, then remove the instance: in the other order the kernel refuses."""
        self._close_pipes()
        with tracing_errors(f"remove {self.name}"):
            self._instance.remove()

    def _close_pipes(self) -> None:
        pipes, self._pipes = self._pipes, {}
        for pipe in pipes.values():
            os.close(pipe)


def _has_buffer(pipe: int, size: int) -> bool:
    """Tell whether the CPU of a pipe is there: of one that is offline the pipe only fails."""
    try:
        os.read(pipe, size)
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
        return False
    return True


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _lines(tids: Iterable[int]) -> str:
    return "".join(f"{tid}\n" for tid in sorted(tids))
