"""The way of an event, from sub-buffers to the spans of sessions. Read `TracePipeline.drain`."""

from collections.abc import Collection, Iterable, Mapping

import numpy as np
from attrs import define, evolve, field, frozen

from ...ports.clock import Clock
from ...ports.kernel_tracer import SubBuffers, TraceSource
from ..model.attribution import Attribution, attribute, launched_until
from ..model.calls import Calls
from ..model.clock import ClockReading, WallOffset
from ..model.event_batch import EventSchema, EventTable
from ..model.event_format import parse_event_format
from ..model.merge import TimeMerge, horizon
from ..model.pairing import CallPairing
from ..model.pod import Container
from ..model.ring_buffer import (
    LossMark,
    Records,
    SubBufferLayout,
    decode_sub_buffers,
    parse_header_page,
)
from ..model.share import SessionShare, SpanTables
from ..model.spans import SpanBatch
from ..model.stats import CpuCounters, SourceStats
from ..model.syscalls import SyscallTable
from ..model.task_events import TASK_EVENTS, exec_entries, task_layouts
from ..model.tasks import TaskIndex
from .attached import Attached, NothingAttached

DRAIN_BYTES = 1 << 20
"""At most so much is read of each CPU at once; more is read at once after."""

CLOCK_READINGS = 5
"""From so many readings of the clocks the best is taken: a thread may be interrupted in one."""


@frozen(kw_only=True, eq=False)
class SourceLayout:
    """All that is worked out of a source's texts before its first event. It can be shared."""

    sub_buffer: SubBufferLayout
    schema: EventSchema
    syscalls: SyscallTable
    task_event_ids: Mapping[str, int]
    exec_entries: frozenset[int]

    @classmethod
    def of(cls, header_page: str, formats: Mapping[str, str]) -> "SourceLayout":
        """Read the texts; raise `DataError` if they cannot be read."""
        parsed = {name: parse_event_format(text) for name, text in formats.items()}
        syscalls = SyscallTable.of(parsed)
        return cls(
            sub_buffer=parse_header_page(header_page),
            schema=EventSchema.of([*syscalls.layouts(), *task_layouts(parsed)]),
            syscalls=syscalls,
            task_event_ids={name: parsed[name].event_id for name in TASK_EVENTS},
            exec_entries=exec_entries(parsed),
        )


@frozen(kw_only=True, eq=False)
class DrainReport:
    """What a drain brought: spans by session, and what needs somebody's attention.

    Everything stamped before `until_ns` has been brought. `more` says that CPUs still hold
    events; `strangers` are tids that were seen and are nobody's; `losses` are the gaps, in which
    events about tasks may be missing, too.
    """

    spans: Mapping[str, SpanBatch]
    events: int = 0
    until_ns: int = 0
    more: bool = False
    strangers: frozenset[int] = frozenset()
    losses: int = 0


@define(kw_only=True, eq=False)
class TracePipeline:
    """Turns what one source records into spans; lives as long as the source.

    It is not safe for threads: its owner sees to it that calls never overlap.
    """

    source: TraceSource
    layout: SourceLayout
    clock: Clock
    attached: Attached = field(factory=NothingAttached)
    tasks: TaskIndex = field(init=False)
    shares: dict[str, SessionShare] = field(factory=dict)
    _merge: TimeMerge = field(init=False)
    _pairing: CallPairing = field(init=False)
    _wall_offset: WallOffset = field(init=False)
    _losses: list[LossMark] = field(factory=list)
    _newest: dict[int, int] = field(factory=dict)
    _known_until_ns: int = 0
    _decoded: int = 0
    _attributed: int = 0
    _unattributed: int = 0
    _malformed_records: int = 0
    _malformed_pages: int = 0

    def __attrs_post_init__(self) -> None:
        """Begin with nothing known."""
        self.tasks = TaskIndex(
            event_ids=dict(self.layout.task_event_ids), exec_entries=self.layout.exec_entries
        )
        self._merge = TimeMerge(self.layout.schema)
        self._pairing = CallPairing(self.layout.syscalls)
        self._wall_offset = WallOffset.of(self._read_clocks() for _ in range(CLOCK_READINGS))

    def drain(self) -> DrainReport:
        """Take what the kernel has recorded and bring it to the sessions."""
        started_ns = self.clock.trace_ns()
        tables = self._tables()
        taken = self.source.read(DRAIN_BYTES)
        records = decode_sub_buffers(taken.data, taken.cpu, layout=self.layout.sub_buffer)
        table, too_short = self.layout.schema.decode(records)
        known_until_ns = horizon(started_ns, self._note(records, taken, too_short))
        known_until_ns = min(known_until_ns, self.attached.known_until_ns(started_ns))
        table = self._merge.merge(table, known_until_ns)
        known_until_ns = launched_until(self.tasks, table, known_until_ns)
        table = self._merge.hold_back(table, known_until_ns)
        whose = attribute(self.tasks, table, self.attached.take(known_until_ns))
        calls = self._pairing.pair(table, whose, self._due(known_until_ns))
        calls = self._end_tasks(calls, started_ns)
        self._known_until_ns = known_until_ns
        spans = self._share_out(table, whose, calls, tables)
        self._tidy()
        return DrainReport(
            spans=spans,
            events=len(records),
            until_ns=known_until_ns,
            more=bool(taken.capped),
            strangers=frozenset(np.unique(table.tid[whose.task < 0]).tolist()),
            losses=len(records.losses),
        )

    @property
    def pending(self) -> int:
        """Count the events held back until another drain makes their order certain."""
        return self._merge.pending

    def take_on(self, session_id: str, containers: Mapping[int, Container]) -> None:
        """Give a session the events of more containers that nobody has been given yet."""
        self.shares[session_id].take_on(containers, since_ns=self._known_until_ns)

    def let_go(self, session_id: str, containers: Collection[int]) -> SpanBatch:
        """Give a session no more of containers; return their calls that go on, unfinished."""
        return self.shares[session_id].let_go(
            containers, self._pairing.open_calls(), self._tables(), now_ns=self.clock.trace_ns()
        )

    def finish(self, session_id: str) -> SpanBatch:
        """End a session's share; return the calls it leaves unfinished."""
        share = self.shares.pop(session_id)
        return share.finish(self._pairing.open_calls(), self._tables())

    def statistics(self, counters: Iterable[CpuCounters]) -> SourceStats:
        """Balance what the kernel counted with what was made of it."""
        cpus = tuple(counters)
        read = sum(one.read for one in cpus)
        return SourceStats(
            recorded=sum(one.recorded for one in cpus),
            attributed=self._attributed,
            unattributed=self._unattributed,
            lost=sum(one.lost for one in cpus),
            malformed=self._malformed(read),
            pending=sum(one.entries for one in cpus) + self.pending,
            cpus=cpus,
        )

    def _malformed(self, read: int) -> int:
        """Count events in what could not be read: only the kernel knows how many there were."""
        skipped = max(0, read - self._decoded) if self._malformed_pages else 0
        return self._malformed_records + skipped

    def _tables(self) -> SpanTables:
        return SpanTables(
            containers=self.tasks.containers,
            commands=self.tasks.segments.commands,
            kinds=self.layout.syscalls.kinds,
            wall_offset_ns=self._wall_offset.follow(self._read_clocks()),
        )

    def _read_clocks(self) -> ClockReading:
        before_ns, wall_ns = self.clock.trace_ns(), self.clock.wall_ns()
        return ClockReading(before_ns=before_ns, wall_ns=wall_ns, after_ns=self.clock.trace_ns())

    def _note(self, records: Records, taken: SubBuffers, too_short: int) -> dict[int, int]:
        """Count what was decoded; return the newest stamp of each CPU that holds more."""
        self._decoded += len(records)
        self._malformed_records += too_short
        self._malformed_pages += records.malformed
        if records.malformed or too_short:
            # What is missing for it may be of any time that was not known before.
            self._losses.append(LossMark(-1, self._known_until_ns - 1, self.clock.trace_ns()))
        for mark in records.losses:
            since = mark.since_ns or self._newest.get(mark.cpu, 0)
            self._losses.append(evolve(mark, since_ns=since))
        if len(records):
            last = np.flatnonzero(np.append(records.cpu[1:] != records.cpu[:-1], True))
            newest = zip(records.cpu[last].tolist(), records.time_ns[last].tolist(), strict=True)
            self._newest.update(newest)
        return {cpu: self._newest.get(cpu, 0) for cpu in taken.capped}

    def _due(self, until_ns: int) -> list[LossMark]:
        """Return the losses that began before a time; keep those that reach beyond it."""
        due = [mark for mark in self._losses if mark.since_ns < until_ns]
        self._losses = [mark for mark in self._losses if mark.until_ns >= until_ns]
        return due

    def _end_tasks(self, calls: Calls, now_ns: int) -> Calls:
        """Close what tasks had open that ended without an event to say so."""
        if not (ended := self.tasks.release()):
            return calls
        return Calls.join(calls, self._pairing.close(ended, now_ns)).in_order()

    def _share_out(
        self, table: EventTable, whose: Attribution, calls: Calls, tables: SpanTables
    ) -> dict[str, SpanBatch]:
        anybodys = np.zeros(len(table), dtype=np.bool_)
        spans = {}
        open_calls = self._pairing.open_calls()
        for session_id, share in self.shares.items():
            batch, own = share.take(
                table, whose, calls, syscalls=self.layout.syscalls, tables=tables
            )
            share.count_open(open_calls)
            anybodys |= own
            if len(batch):
                spans[session_id] = batch
        attributed = int(np.count_nonzero(anybodys))
        self._attributed += attributed
        self._unattributed += len(table) - attributed
        return spans

    def _tidy(self) -> None:
        """Clear out what long-running sources gather; spans keep the tables they were given."""
        if not self.tasks.segments.crowded:
            return
        in_use = self._pairing.open_calls().command
        numbers = self.tasks.segments.compact(in_use)
        if numbers is not None:
            self._pairing.renumber_commands(numbers)
