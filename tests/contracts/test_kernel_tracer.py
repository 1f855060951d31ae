import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest
from attrs import define, field

from container_tracer.adapters.tracefs.tracer import TracefsKernelTracer, TracefsSettings
from container_tracer.domain.model.event_batch import EventSchema, EventTable
from container_tracer.domain.model.event_format import EventFormat, parse_event_format
from container_tracer.domain.model.ring_buffer import decode_sub_buffers, parse_header_page
from container_tracer.domain.model.stats import SourceStats
from container_tracer.domain.model.task_events import TASK_EVENTS
from container_tracer.fakes.kernel_tracer import FakeKernelTracer
from container_tracer.ports.errors import EventUnavailable
from container_tracer.ports.kernel_tracer import KernelTracer, SourceSettings, TraceSource

INSTANCES = Path("/sys/kernel/tracing/instances")
ENTER, EXIT = "syscalls:sys_enter_getppid", "syscalls:sys_exit_getppid"
EVENTS = frozenset({ENTER, EXIT, *TASK_EVENTS})
SMALL = SourceSettings(buffer_kib=64)
MANY = 400
"""Calls that fill several sub-buffers."""


class Machine(Protocol):
    """A machine with two tasks of which tests follow the first, and its tracer."""

    task: int
    neighbour: int

    @property
    def tracer(self) -> KernelTracer:
        """The tracer of this machine."""

    def call(self, tid: int, count: int) -> None:
        """Let a task call getppid so often."""

    def call_in_child(self, tid: int, count: int) -> None:
        """Let a task make another, which calls getppid so often and ends."""

    def instances(self) -> set[str]:
        """Names of what this test has in the kernel."""

    def leave_behind(self) -> str:
        """Leave what a crash would leave; return its name."""


@define
class FakeMachine:
    tracer: FakeKernelTracer
    task: int = 100
    neighbour: int = 200
    now: int = 1_000

    def call(self, tid: int, count: int) -> None:
        for _ in range(count):
            for event in (ENTER, EXIT):
                self.now += 100
                self.tracer.emit(event, tid=tid, at_ns=self.now)

    def call_in_child(self, tid: int, count: int) -> None:
        self.tracer.emit("task:task_newtask", {"pid": 101}, tid=tid, at_ns=self.now)
        self.call(101, count)
        self.tracer.emit("sched:sched_process_exit", tid=101, at_ns=self.now)

    def instances(self) -> set[str]:
        return {one.name for one in self.tracer.open_sources} | set(self.tracer.leftovers)

    def leave_behind(self) -> str:
        self.tracer.leftovers.append("fake-old")
        return "fake-old"


@define
class LinuxMachine:
    """The tasks are threads of this process; all they do when asked is the call."""

    identity: str
    tracer: TracefsKernelTracer = field(init=False)
    task: int = field(init=False)
    neighbour: int = field(init=False)
    _threads: dict[int, ThreadPoolExecutor] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.tracer = TracefsKernelTracer(TracefsSettings(identity=self.identity))
        self.task, self.neighbour = self._thread(), self._thread()

    def _thread(self) -> int:
        executor = ThreadPoolExecutor(max_workers=1)
        tid = executor.submit(threading.get_native_id).result()
        self._threads[tid] = executor
        return tid

    def call(self, tid: int, count: int) -> None:
        self._threads[tid].submit(call_getppid, count).result()

    def call_in_child(self, tid: int, count: int) -> None:
        self._threads[tid].submit(in_thread, call_getppid, count).result()

    def instances(self) -> set[str]:
        return {one.name for one in INSTANCES.iterdir() if self.identity in one.name}

    def leave_behind(self) -> str:
        folder = INSTANCES / f"container-tracer_{self.identity}_0123abcd"
        folder.mkdir()
        return folder.name

    def shut_down(self) -> None:
        for executor in self._threads.values():
            executor.shutdown()
        for name in self.instances():
            (INSTANCES / name).rmdir()


def call_getppid(count: int) -> None:
    for _ in range(count):
        os.getppid()


def in_thread(call: Callable[[int], None], count: int) -> None:
    thread = threading.Thread(target=call, args=(count,))
    thread.start()
    thread.join()


@pytest.fixture(params=["fake", pytest.param("linux", marks=pytest.mark.kernel)])
def machine(
    request: pytest.FixtureRequest, recorded_format_texts: dict[str, str]
) -> Iterator[Machine]:
    if request.param == "fake":
        yield FakeMachine(FakeKernelTracer(formats=recorded_format_texts))
        return
    if os.geteuid() != 0 or not INSTANCES.is_dir():
        pytest.skip("needs root and tracefs at /sys/kernel/tracing")
    linux = LinuxMachine(f"contract-{os.getpid()}-{time.monotonic_ns():x}")
    try:
        yield linux
    finally:
        linux.shut_down()


@contextmanager
def opened(machine: Machine, *, start: bool = True) -> Iterator[TraceSource]:
    """Open a source that follows the machine's task."""
    source = machine.tracer.open_source(EVENTS, [machine.task], SMALL)
    try:
        if start:
            source.start()
        yield source
    finally:
        source.close()


def read_all(source: TraceSource, limit_bytes: int = 1 << 20) -> list[EventTable]:
    tables, more = [], True
    while more:
        taken = source.read(limit_bytes)
        assert taken.data.nbytes == len(taken.cpu) * taken.size
        records = decode_sub_buffers(
            taken.data, taken.cpu, layout=parse_header_page(source.header_page)
        )
        assert records.malformed == 0
        table, too_short = EventSchema.of([]).decode(records)
        assert too_short == 0
        tables.append(table)
        more = bool(taken.capped)
    return tables


def calls_of(source: TraceSource, tid: int | None = None) -> int:
    """Read all; count how often the call was entered, by one task or any."""
    event_id = parse_event_format(source.formats[ENTER]).event_id
    return sum(
        int(((table.event_id == event_id) & ((table.tid == tid) | (tid is None))).sum())
        for table in read_all(source)
    )


class TestKernelTracer:
    def test_it_names_the_events_of_its_kernel(self, machine: Machine) -> None:
        assert machine.tracer.event_names() >= EVENTS

    def test_an_event_it_lacks_is_unavailable_and_leaves_nothing(self, machine: Machine) -> None:
        with pytest.raises(EventUnavailable, match=r"not have.* nosuch:event"):
            machine.tracer.open_source(EVENTS | {"nosuch:event"}, [machine.task], SMALL)
        assert machine.instances() == set()

    def test_a_source_knows_the_formats_of_exactly_its_events(self, machine: Machine) -> None:
        with opened(machine) as source:
            parsed: dict[str, EventFormat] = {
                name: parse_event_format(text) for name, text in source.formats.items()
            }
            assert parsed.keys() == EVENTS
            assert {name.partition(":")[2] for name in parsed} == {
                one.name for one in parsed.values()
            }
            assert source.read(1).size == parse_header_page(source.header_page).size

    def test_nothing_is_recorded_before_the_start(self, machine: Machine) -> None:
        with opened(machine, start=False) as source:
            machine.call(machine.task, 5)
            assert calls_of(source) == 0
            source.start()
            machine.call(machine.task, 3)
            assert calls_of(source) == 3

    def test_what_was_recorded_can_be_read_after_the_stop(self, machine: Machine) -> None:
        with opened(machine) as source:
            machine.call(machine.task, 3)
            source.stop()
            machine.call(machine.task, 5)
            assert calls_of(source) == 3

    def test_only_tasks_that_are_followed_are_recorded(self, machine: Machine) -> None:
        with opened(machine) as source:
            machine.call(machine.neighbour, 7)
            machine.call(machine.task, 3)
            assert calls_of(source, machine.task) == 3
            source.follow([machine.neighbour])
            machine.call(machine.neighbour, 7)
            assert calls_of(source, machine.neighbour) == 7

    def test_tasks_that_followed_ones_make_are_followed(self, machine: Machine) -> None:
        with opened(machine) as source:
            machine.call_in_child(machine.task, 4)
            machine.call_in_child(machine.neighbour, 8)
            assert calls_of(source) == 4

    def test_who_is_unfollowed_is_recorded_no_more_and_can_be_taken_back(
        self, machine: Machine
    ) -> None:
        with opened(machine) as source:
            source.follow([machine.neighbour])
            source.unfollow([machine.task])
            machine.call(machine.task, 3)
            machine.call_in_child(machine.task, 3)
            machine.call(machine.neighbour, 5)
            assert calls_of(source) == 5
            for _ in range(2):
                source.follow([machine.task])
                machine.call(machine.task, 2)
                assert calls_of(source, machine.task) == 2
                source.unfollow([machine.task])
                machine.call(machine.task, 1)
                assert calls_of(source) == 0

    def test_it_tells_whom_it_follows(self, machine: Machine) -> None:
        with opened(machine) as source:
            source.follow([machine.neighbour])
            assert source.following() >= {machine.task, machine.neighbour}
            source.unfollow([machine.task])
            assert machine.neighbour in source.following()
            assert machine.task not in source.following()

    def test_following_nobody_is_nothing(self, machine: Machine) -> None:
        with opened(machine) as source:
            source.follow([])
            source.unfollow([])
            machine.call(machine.task, 2)
            machine.call(machine.neighbour, 2)
            assert calls_of(source) == 2

    def test_a_source_may_follow_nobody_at_first(self, machine: Machine) -> None:
        source = machine.tracer.open_source(EVENTS, [], SMALL)
        try:
            source.start()
            machine.call(machine.task, 2)
            assert calls_of(source) == 0
        finally:
            source.close()

    def test_a_read_takes_no_more_than_its_limit_of_a_cpu_and_says_so(
        self, machine: Machine
    ) -> None:
        with opened(machine) as source:
            machine.call(machine.task, MANY)
            machine.call(machine.task, 1)
            size = source.read(0).size
            first = source.read(2 * size)
            assert first.capped
            for cpu in first.capped:
                assert (first.cpu == cpu).sum() == 2
            assert sum(map(len, read_all(source, size))) > 0
            assert len(source.read(size).cpu) == 0

    def test_the_counters_know_every_event(self, machine: Machine) -> None:
        with opened(machine) as source:
            machine.call(machine.task, MANY)
            source.stop()
            before = source.counters()
            events = sum(map(len, read_all(source)))
            after = source.counters()
            assert events >= 2 * MANY
            assert sum(one.entries for one in before) == events
            assert sum(one.read for one in after) == events
            assert sum(one.entries + one.lost for one in after) == 0
            assert sum(one.recorded for one in before) == sum(one.recorded for one in after)
            assert len({one.cpu for one in after}) == len(after)

    def test_what_nobody_reads_in_time_is_counted_as_lost(self, machine: Machine) -> None:
        with opened(machine) as source:
            for _ in range(30):
                machine.call(machine.task, MANY)
            source.stop()
            read = sum(map(len, read_all(source)))
            counters = source.counters()
            stats = SourceStats(
                recorded=sum(one.recorded for one in counters),
                unattributed=read,
                lost=sum(one.lost for one in counters),
            )
            assert stats.lost > 0
            assert stats.balance == 0

    async def test_waiting_ends_when_something_is_recorded(self, machine: Machine) -> None:
        with opened(machine) as source:
            waiting = asyncio.create_task(source.wait(), name="wait")
            await asyncio.sleep(0)
            assert not waiting.done()
            await asyncio.to_thread(machine.call, machine.task, 1)
            await asyncio.wait_for(waiting, 10)
            await asyncio.wait_for(source.wait(), 10)
            assert calls_of(source) == 1

    async def test_waiting_for_a_fuller_buffer_takes_more_than_one_event(
        self, machine: Machine
    ) -> None:
        with opened(machine) as source:
            await asyncio.to_thread(machine.call, machine.task, 1)
            await asyncio.wait_for(source.wait(), 10)
            waiting = asyncio.create_task(source.wait(percent=50), name="wait")
            await asyncio.sleep(0.01)
            assert not waiting.done()
            for _ in range(500):
                await asyncio.to_thread(machine.call, machine.task, MANY)
                await asyncio.wait([waiting], timeout=0.01)
                if waiting.done():
                    break
            assert waiting.done()

    def test_closed_it_leaves_nothing_and_closing_again_is_harmless(self, machine: Machine) -> None:
        with opened(machine) as source:
            assert machine.instances() == {source.name}
            machine.call(machine.task, 1)
            source.close()
            assert machine.instances() == set()
            assert len(source.read(1 << 20).cpu) == 0
            assert source.counters() == ()

    def test_a_watch_records_everybody_but_only_what_passes_its_filters(
        self, machine: Machine
    ) -> None:
        events = {ENTER: "", "task:task_newtask": "clone_flags & 0x200000000"}
        watch = machine.tracer.open_watch(events, SMALL)
        try:
            machine.call(machine.neighbour, 3)
            assert calls_of(watch, machine.neighbour) == 0
            watch.start()
            machine.call(machine.task, 2)
            machine.call_in_child(machine.neighbour, 4)
            assert watch.formats.keys() == events.keys()
            tables = read_all(watch)
            forks = parse_event_format(watch.formats["task:task_newtask"]).event_id
            assert sum(int((table.tid == machine.task).sum()) for table in tables) == 2
            assert sum(map(len, tables)) >= 2 + 4
            assert not any((table.event_id == forks).any() for table in tables)
        finally:
            watch.close()
        assert machine.instances() == set()

    def test_a_watch_whose_filter_cannot_be_read_leaves_nothing(self, machine: Machine) -> None:
        with pytest.raises(EventUnavailable, match="filter 'nonsense of a filter'"):
            machine.tracer.open_watch({ENTER: "nonsense of a filter"}, SMALL)
        assert machine.instances() == set()

    def test_sources_are_independent(self, machine: Machine) -> None:
        with opened(machine) as one, opened(machine) as other:
            assert one.name != other.name
            machine.call(machine.task, 2)
            assert calls_of(one) == 2
            one.close()
            machine.call(machine.task, 1)
            assert calls_of(other) == 3

    def test_what_a_crash_left_is_removed_but_nothing_in_use(self, machine: Machine) -> None:
        with opened(machine) as source:
            left = machine.leave_behind()
            assert machine.tracer.remove_leftovers() == (left,)
            assert machine.instances() == {source.name}
            machine.call(machine.task, 1)
            assert calls_of(source) == 1
            assert machine.tracer.remove_leftovers() == ()


def test_the_fakes_counters_are_of_any_page_put_into_it(
    recorded_format_texts: dict[str, str],
) -> None:
    tracer = FakeKernelTracer(formats=recorded_format_texts)
    source = tracer.open_source(EVENTS, [], SMALL)
    source.put(b"\xff" * 4096, cpu=1)
    assert [one.recorded for one in source.counters()] == [0, 0]
    assert source.read(4096).cpu.tolist() == [1]
