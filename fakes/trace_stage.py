"""Attribution, pairing and shares put together as a pipeline does, fed with made events."""

from collections.abc import Mapping, Sequence

import numpy as np
from attrs import define, field, frozen

from ..domain.model.attachments import Attachment
from ..domain.model.attribution import Attribution, attribute
from ..domain.model.calls import Calls
from ..domain.model.event_batch import EventTable
from ..domain.model.pairing import CallPairing
from ..domain.model.pod import Container, Task
from ..domain.model.ring_buffer import LossMark
from ..domain.model.share import SessionShare, SpanTables
from ..domain.model.spans import Bools, SpanBatch
from ..domain.model.tasks import TaskIndex
from .event_tables import MadeEvent, TableBuilder
from .tiny_kernel import TinyKernel
from .true_calls import TrueCall, true_calls

BOXES = tuple(Container(name=f"box-{number}", pod="boxes") for number in range(3))


@frozen(kw_only=True, eq=False)
class Drained:
    """What became of one table. `commands` are the names its numbers mean."""

    table: EventTable
    whose: Attribution
    calls: Calls
    listed: Sequence[TrueCall]
    commands: Sequence[str]
    spans: Mapping[str, SpanBatch]
    owned: Bools

    def command(self, row: int) -> str | None:
        """Return the command of an event's task."""
        number = int(self.whose.command[row])
        return self.commands[number] if number >= 0 else None


@define(eq=False)
class TraceStage:
    """Has the three containers `BOXES`, numbered in that order."""

    events: TableBuilder = field(factory=TableBuilder)
    tasks: TaskIndex = field(init=False)
    pairing: CallPairing = field(init=False)
    shares: dict[str, SessionShare] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        """Begin with containers, and no task known."""
        self.tasks = TaskIndex(
            event_ids=self.events.task_event_ids, exec_entries=self.events.exec_entries
        )
        self.pairing = CallPairing(self.events.syscalls)
        for box in BOXES:
            self.tasks.container_number(box)

    @classmethod
    def watching(cls, kernel: TinyKernel) -> "TraceStage":
        """Know what a kernel booted with."""
        stage = cls(kernel.events)
        for one in kernel.booted:
            task = Task(tid=one.tid, pid=one.pid, command=one.command)
            stage.tasks.add(one.container, [task])
        return stage

    @property
    def tables(self) -> SpanTables:
        """What numbers mean now; the wall clock is the trace clock."""
        return SpanTables(
            containers=self.tasks.containers,
            commands=self.tasks.segments.commands,
            kinds=self.events.syscalls.kinds,
            wall_offset_ns=0,
        )

    def add(self, *tids: int, pid: int | None = None, container: int = 0) -> None:
        """Know tasks of a container, of one process each or all of the same."""
        tasks = [Task(tid=tid, pid=tid if pid is None else pid, command="sh") for tid in tids]
        self.tasks.add(container, tasks)

    def share(self, share: SessionShare) -> SessionShare:
        """Have a session's share of what comes from now on."""
        self.shares[share.session_id] = share
        return share

    def drain(
        self,
        events: Sequence[MadeEvent] | None = None,
        *,
        losses: Sequence[LossMark] = (),
        attached: Sequence[Attachment] = (),
        now_ns: int | None = None,
    ) -> Drained:
        """Do with these events, or with those written, what a drain does."""
        table = self.events.take() if events is None else self.events.table(events)
        tables = self.tables
        whose = attribute(self.tasks, table, attached)
        calls = self.pairing.pair(table, whose, losses)
        if ended := self.tasks.release():
            at_ns = int(table.time_ns.max(initial=0)) if now_ns is None else now_ns
            calls = Calls.join(calls, self.pairing.close(ended, at_ns)).in_order()
        spans, owned = self._share_out(table, whose, calls, tables)
        self._tidy()
        return Drained(
            table=table,
            whose=whose,
            calls=calls,
            listed=self.listed(calls, tables.commands),
            commands=tables.commands,
            spans=spans,
            owned=owned,
        )

    def listed(self, calls: Calls, commands: Sequence[str] | None = None) -> list[TrueCall]:
        """Write calls out, one by one; `commands` as of when they were made."""
        names = self.tasks.segments.commands if commands is None else commands
        return true_calls(calls, names, [one.name for one in self.events.syscalls.kinds])

    def finish(self, session_id: str) -> SpanBatch:
        """End a share as a pipeline does."""
        return self.shares.pop(session_id).finish(self.pairing.open_calls(), self.tables)

    def _share_out(
        self, table: EventTable, whose: Attribution, calls: Calls, tables: SpanTables
    ) -> tuple[dict[str, SpanBatch], Bools]:
        owned, spans = np.zeros(len(table), dtype=np.bool_), {}
        for name, share in self.shares.items():
            spans[name], own = share.take(
                table, whose, calls, syscalls=self.events.syscalls, tables=tables
            )
            share.count_open(self.pairing.open_calls())
            owned |= own
        return spans, owned

    def _tidy(self) -> None:
        numbers = self.tasks.segments.compact(self.pairing.open_calls().command)
        if numbers is not None:
            self.pairing.renumber_commands(numbers)
