"""A kernel that traces what a test says has happened.

    kernel = FakeKernelTracer(formats=texts)
    source = kernel.open_source(frozenset({"task:task_rename"}), [7], SourceSettings())
    source.start()
    kernel.emit("task:task_rename", {"pid": 7, "newcomm": "sh"}, tid=7, at_ns=1_000)

Like the real one it records, in sub-buffers of each CPU, only events that are on, of tasks that
are followed; it follows the tasks they make, and overwrites what nobody reads in time.
"""

import asyncio
from collections.abc import Iterable, Mapping

from attrs import define, evolve, field

from ..domain.model.event_format import EventFormat, parse_event_format
from ..domain.model.ring_buffer import parse_header_page
from ..domain.model.stats import CpuCounters
from ..ports.errors import EventUnavailable, PortError
from ..ports.kernel_tracer import SourceSettings, SubBuffers
from .cpu_buffer import FakeCpu
from .event_filter import check_filter, passes
from .event_record import FieldValue
from .sub_buffer import sub_buffers

HEADER_PAGE = """\
\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;
"""

NEWTASK, EXIT = "task:task_newtask", "sched:sched_process_exit"


@define(kw_only=True, eq=False)
class FakeTraceSource:
    """One open source; `followed` and `unfollowed` are what the kernel would answer.

    `filters`, of a watch, are those of its events: it records them whoever makes them.

    `follows` has what `follow` was called with. The next such call leaves out those in
    `leaves_out`, as the kernel does with tasks made meanwhile.

    Each of its methods raises what `failures` has under its name; `tracer` shares its own.
    """

    name: str
    formats: Mapping[str, str]
    settings: SourceSettings
    header_page: str = HEADER_PAGE
    failures: dict[str, PortError] = field(factory=dict)
    followed: set[int] = field(factory=set)
    unfollowed: set[int] = field(factory=set)
    follows: list[set[int]] = field(factory=list)
    leaves_out: set[int] = field(factory=set)
    filters: Mapping[str, str] | None = None
    on: bool = False
    closed: bool = False
    cpus: list[FakeCpu] = field(factory=list)
    _events: dict[str, EventFormat] = field(init=False)
    _waiter: asyncio.Future[None] | None = None

    def __attrs_post_init__(self) -> None:
        """Read the formats."""
        self._events = {name: parse_event_format(text) for name, text in self.formats.items()}

    def emit(
        self, event: str, values: Mapping[str, FieldValue], *, tid: int, at_ns: int, cpu: int = 0
    ) -> None:
        """Record an event, if the kernel would; follow tasks that begin, forget those that end."""
        listed = tid in self.followed, tid in self.unfollowed
        if self.on and event in self._events and self._wants(event, values, listed):
            self.cpus[cpu].write(self._events[event], values, tid=tid, at_ns=at_ns)
            self._tell()
        lists = (self.followed, self.unfollowed)
        child = values.get("pid")
        for is_listed, tids in zip(listed, lists, strict=True):
            if event == NEWTASK and is_listed and isinstance(child, int):
                tids.add(child)
            if event == EXIT:
                tids.discard(tid)

    def _wants(
        self, event: str, values: Mapping[str, FieldValue], listed: tuple[bool, bool]
    ) -> bool:
        if self.filters is None:
            return listed == (True, False)
        return passes(self.filters[event], values)

    def put(self, page: bytes, *, cpu: int = 0) -> None:
        """Queue a sub-buffer as it is."""
        self.cpus[cpu].put(page)
        self._tell()

    def follow(self, tids: Iterable[int]) -> None:
        """Take tasks onto the list of those recorded, and off that of those not."""
        self._check("follow")
        wanted = set(tids)
        self.follows.append(wanted)
        self.followed = (self.followed - self.leaves_out) | wanted
        self.unfollowed -= wanted
        self.leaves_out = set()

    def unfollow(self, tids: Iterable[int]) -> None:
        """Take tasks onto the list of those not recorded."""
        self._check("unfollow")
        self.unfollowed |= set(tids)

    def following(self) -> frozenset[int]:
        """Return those that are recorded."""
        self._check("following")
        return frozenset(self.followed - self.unfollowed)

    def start(self) -> None:
        """Begin to record."""
        self._check("start")
        self.on = True

    def stop(self) -> None:
        """Record no more."""
        self._check("stop")
        self.on = False

    async def wait(self, *, percent: int = 0) -> None:
        """Wait until a CPU's buffer is so full, or has anything in it."""
        while not any(one.filled(percent) for one in self.cpus):
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def read(self, limit_bytes: int) -> SubBuffers:
        """Take the oldest sub-buffers of each CPU."""
        self._check("read")
        size = parse_header_page(self.header_page).size
        limit = max(1, limit_bytes // size)
        taken = {one.number: one.take(limit) for one in self.cpus if not self.closed}
        capped = frozenset(cpu for cpu, pages in taken.items() if len(pages) == limit)
        return evolve(sub_buffers(taken, size=size), capped=capped)

    def counters(self) -> tuple[CpuCounters, ...]:
        """Read the counters of each CPU."""
        self._check("counters")
        return () if self.closed else tuple(one.counters for one in self.cpus)

    def close(self) -> None:
        """Remove it, unless it is to fail."""
        self._check("close")
        self.on, self.closed = False, True

    def _check(self, method: str) -> None:
        if method in self.failures:
            raise self.failures[method]

    def _tell(self) -> None:
        if (waiter := self._waiter) is not None:
            waiter.get_loop().call_soon_threadsafe(_resolve, waiter)


@define(kw_only=True, eq=False)
class FakeKernelTracer:
    """A kernel whose events are those of `formats`, by name; it keeps every source it opened.

    `failures` may have an error for `event_names`, `open_source`, `open_watch`,
    `remove_leftovers`, and for every method of a source. `capacity` is how many whole
    sub-buffers a CPU holds.
    """

    formats: Mapping[str, str]
    header_page: str = HEADER_PAGE
    cpu_count: int = 2
    capacity: int = 64
    failures: dict[str, PortError] = field(factory=dict)
    sources: list[FakeTraceSource] = field(factory=list)
    leftovers: list[str] = field(factory=list)

    @property
    def open_sources(self) -> list[FakeTraceSource]:
        """The sources that have not been closed."""
        return [one for one in self.sources if not one.closed]

    def event_names(self) -> frozenset[str]:
        """Name the events that have a format."""
        self._check("event_names")
        return frozenset(self.formats)

    def open_source(
        self, events: frozenset[str], tids: Iterable[int], settings: SourceSettings
    ) -> FakeTraceSource:
        """Make a source, not yet recording."""
        self._check("open_source")
        return self._open(events, settings, followed=set(tids))

    def open_watch(self, events: Mapping[str, str], settings: SourceSettings) -> FakeTraceSource:
        """Make a source of everybody's events, not yet recording."""
        self._check("open_watch")
        for event, text in events.items():
            check_filter(event, text)
        return self._open(frozenset(events), settings, filters=dict(events))

    def _open(
        self,
        events: frozenset[str],
        settings: SourceSettings,
        *,
        followed: set[int] | None = None,
        filters: Mapping[str, str] | None = None,
    ) -> FakeTraceSource:
        if missing := events - self.formats.keys():
            raise EventUnavailable(f"This kernel does not have {', '.join(sorted(missing))}.")
        layout = parse_header_page(self.header_page)
        source = FakeTraceSource(
            name=f"fake-{len(self.sources)}",
            formats={name: self.formats[name] for name in events},
            settings=settings,
            header_page=self.header_page,
            failures=self.failures,
            followed=followed or set(),
            filters=filters,
            cpus=[FakeCpu(cpu, layout, self.capacity) for cpu in range(self.cpu_count)],
        )
        self.sources.append(source)
        return source

    def remove_leftovers(self) -> tuple[str, ...]:
        """Remove and name what is in `leftovers`."""
        self._check("remove_leftovers")
        removed, self.leftovers = tuple(self.leftovers), []
        return removed

    def emit(
        self,
        event: str,
        values: Mapping[str, FieldValue] | None = None,
        *,
        tid: int,
        at_ns: int,
        cpu: int = 0,
    ) -> None:
        """Let an event happen; every source that should records it."""
        for source in self.open_sources:
            source.emit(event, values or {}, tid=tid, at_ns=at_ns, cpu=cpu)

    def _check(self, method: str) -> None:
        if method in self.failures:
            raise self.failures[method]


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
