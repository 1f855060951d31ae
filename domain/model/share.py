"""A session's share of its source: whose events, in what time, and which of the calls made of them.

Pairing knows nothing of sessions. A share cuts from what it gives the part that is the session's:
calls of its containers, clipped to its window of time, and passed by its filter.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from attrs import define, evolve, field, frozen

from .attribution import Attribution
from .calls import Calls
from .event_batch import EventTable
from .halves import cut
from .pod import Container
from .spans import Bools, Int32, Int64, SpanBatch, SpanFilter, SpanKind, SpanOutcome
from .stats import SessionStats
from .summary import Summary
from .syscalls import CallRole, SyscallTable

FOREVER = (1 << 63) - 1


@frozen(kw_only=True, eq=False)
class SpanTables:
    """What turns a source's numbers and stamps into names and wall-clock time.

    `wall_offset_ns` is the wall clock minus the trace clock.
    """

    containers: Sequence[Container]
    commands: Sequence[str]
    kinds: Sequence[SpanKind]
    wall_offset_ns: int


@define(kw_only=True, eq=False)
class SessionShare:
    """What one run of a session takes; it counts as it takes.

    `containers` are numbers of the source; they may come and go. The window is from `since_ns` to
    `until_ns`, both inclusive, by the trace clock. At `max_spans` (0: no limit) the window closes.
    """

    session_id: str
    spans: SpanFilter
    containers: set[int] = field(factory=set)
    since_ns: int = FOREVER
    until_ns: int = FOREVER
    max_spans: int = 0
    full: bool = False
    statistics: SessionStats = field(factory=SessionStats)
    summary: Summary = field(factory=Summary)
    _passed: int = 0
    _joined_ns: dict[int, int] = field(factory=dict)
    """Since when containers are its own that were not so from the beginning."""

    def take_on(self, containers: Mapping[int, Container], *, since_ns: int) -> None:
        """Take the calls of more containers, from a time up to which all events were taken."""
        for number, container in containers.items():
            if number not in self.containers:
                self.containers.add(number)
                self._joined_ns[number] = since_ns
                self.summary.reopen(container)

    def let_go(
        self, containers: Collection[int], open_calls: Calls, tables: SpanTables, *, now_ns: int
    ) -> SpanBatch:
        """Take no more of containers; return their calls that have not returned, unfinished."""
        theirs = open_calls.take(np.isin(open_calls.container, list(containers)))
        batch = self._pass(cut(theirs, now_ns, np.uint8(SpanOutcome.UNFINISHED)), tables)
        for number in self.containers.intersection(containers):
            self.containers.discard(number)
            self._joined_ns.pop(number, None)
            self.summary.close(tables.containers[number])
        self.count_open(open_calls)
        self._settle()
        return batch

    def take(
        self,
        table: EventTable,
        whose: Attribution,
        calls: Calls,
        *,
        syscalls: SyscallTable,
        tables: SpanTables,
    ) -> tuple[SpanBatch, Bools]:
        """Return the session's spans of a table, and which of the table's events are its own."""
        batch = self._pass(calls, tables)
        own = self._member(whose.container)
        own &= (table.time_ns >= self._since(whose.container)) & (table.time_ns <= self.until_ns)
        self._count(table, own, syscalls)
        return batch, own

    def finish(self, open_calls: Calls, tables: SpanTables) -> SpanBatch:
        """Return, as unfinished spans, the calls that had not returned when the window closed."""
        endless = evolve(open_calls, end=np.full(len(open_calls), FOREVER))
        batch = self._pass(endless, tables)
        self.statistics.open = 0
        self._settle()
        return batch

    def count_open(self, open_calls: Calls) -> None:
        """Note how many calls of the session have not returned yet."""
        since = self._since(open_calls.container)
        inside = (open_calls.start >= since) & (open_calls.start <= self.until_ns)
        inside &= self._member(open_calls.container)
        self.statistics.open = 0 if self.full else int(np.count_nonzero(inside))

    def _member(self, container: Int32) -> Bools:
        highest = int(container.max(initial=-1))
        members = np.zeros(highest + 2, dtype=np.bool_)  # the last one answers for -1
        members[[number for number in self.containers if number <= highest]] = True
        found: Bools = members[container]
        return found

    def _since(self, container: Int32) -> Int64 | int:
        """Return from when on the events of containers are its own; mostly that is the same."""
        if not self._joined_ns:
            return self.since_ns
        highest = max([*self._joined_ns, int(container.max(initial=-1))])
        since = np.full(highest + 2, self.since_ns)
        for number, at_ns in self._joined_ns.items():
            since[number] = max(self.since_ns, at_ns)
        found: Int64 = since[container]
        return found

    def _clip(self, calls: Calls, chosen: Bools) -> Calls:
        """Keep of the chosen calls what is inside the window."""
        since = self._since(calls.container)
        late, early = calls.end > self.until_ns, calls.start < since
        if not (late & chosen).any() and not (early & chosen).any():
            return calls if chosen.all() else calls.take(chosen)
        entered = calls.entered & ~early & (calls.start <= self.until_ns)
        returned = calls.returned & ~late & (calls.end >= since)
        outcome = calls.outcome.copy()
        # Whatever is missing of a call that was already on: it is older than the window.
        outcome[early & (outcome != SpanOutcome.CHILD_RETURN)] = SpanOutcome.BEGAN_BEFORE
        outcome[late] = SpanOutcome.UNFINISHED
        clipped = evolve(
            calls,
            start=np.maximum(calls.start, since),
            end=np.minimum(calls.end, self.until_ns),
            entered=entered,
            returned=returned,
            outcome=outcome,
        )
        return clipped.take(chosen & (entered | returned))

    def _pass(self, calls: Calls, tables: SpanTables) -> SpanBatch:
        """Pass on what the filter keeps, up to the limit, which closes the window."""
        mine = self._clip(calls, self._member(calls.container))
        batch = to_spans(mine, tables)
        kept = np.flatnonzero(self.spans.keep(batch))
        room = self.max_spans - self.statistics.spans
        if self.max_spans and len(kept) >= room:
            kept = kept[:room]
            if len(kept):
                self.until_ns, self.full = int(mine.end[kept[-1]]), True
        if len(kept) < len(batch):
            self.statistics.filtered_out += batch.events
            batch = batch.take(kept)
            self.statistics.filtered_out -= batch.events
        self._note(batch)
        return batch

    def _note(self, batch: SpanBatch) -> None:
        self._passed += batch.events
        self.statistics.spans += len(batch)
        incomplete = np.count_nonzero(batch.outcome >= SpanOutcome.BEGAN_BEFORE)
        self.statistics.incomplete_spans += int(incomplete)
        self.summary.add(batch)

    def _count(self, table: EventTable, own: Bools, syscalls: SyscallTable) -> None:
        """Count the events; those that cannot be part of a call are no span's."""
        cpu = table.cpu[own]
        for number, count in enumerate(np.bincount(cpu).tolist()):
            if count:
                by_cpu = self.statistics.attributed_by_cpu
                by_cpu[number] = by_cpu.get(number, 0) + count
        self.statistics.attributed += len(cpu)
        role = syscalls.role[table.event_id[own]]
        others = (role == CallRole.NONE) | (role == CallRole.TASK_END)
        self.statistics.filtered_out += int(np.count_nonzero(others))
        self._settle()

    def _settle(self) -> None:
        """Once full, count as filtered out whatever came inside the window and is not shown."""
        if self.full:
            self.statistics.filtered_out = self.statistics.attributed - self._passed


def to_spans(calls: Calls, tables: SpanTables) -> SpanBatch:
    """Give calls names and wall-clock time."""
    return SpanBatch(
        start_ns=calls.start + tables.wall_offset_ns,
        end_ns=calls.end + tables.wall_offset_ns,
        tid=calls.tid,
        pid=calls.pid,
        command=calls.command,
        container=calls.container,
        kind=calls.kind,
        arguments=calls.arguments,
        result=calls.result,
        outcome=calls.outcome,
        entered=calls.entered,
        returned=calls.returned,
        commands=tables.commands,
        containers=tables.containers,
        kinds=tables.kinds,
    )
