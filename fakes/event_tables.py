"""Event tables without bytes: what decoding gives, written event by event.

    events = TableBuilder()
    events.enter(7, "read", 3, at=10).leave(7, "read", 4096, at=20)
    table = events.take()

The formats are small made ones, or a kernel's own: `TableBuilder(formats)`.
"""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from attrs import define, field, frozen

from ..domain.model.event_batch import EventSchema, EventTable
from ..domain.model.event_format import EventField, EventFormat
from ..domain.model.syscalls import ENTER_PREFIX, EXIT_PREFIX, SyscallTable
from ..domain.model.task_events import (
    CLONE_THREAD,
    EXEC,
    NEWTASK,
    RENAME,
    TASK_EVENTS,
    exec_entries,
    task_layouts,
)
from ..domain.model.task_events import EXIT as TASK_EXIT

Value = int | bytes | tuple[int, ...]

WAKING = "sched:sched_waking"
"""An event that has no layout of its own and is no part of a call."""

Column = tuple[str, str, int, int]
"""Name, C type, offset and size."""


def made_format(name: str, event_id: int, *columns: Column) -> EventFormat:
    """Write a format with these fields behind those all events have."""
    common: tuple[Column, ...] = (
        ("common_type", "unsigned short", 0, 2),
        ("common_flags", "unsigned char", 2, 1),
        ("common_preempt_count", "unsigned char", 3, 1),
        ("common_pid", "int", 4, 4),
    )
    return EventFormat(
        name=name.partition(":")[2],
        event_id=event_id,
        fields=tuple(
            EventField(
                name=field_name,
                type_name=kind,
                offset=offset,
                size=size,
                signed=kind in ("int", "pid_t", "long"),
                count=16 if kind == "char[16]" else 1,
            )
            for field_name, kind, offset, size in (*common, *columns)
        ),
    )


def call_formats(name: str, event_id: int, *arguments: tuple[str, str]) -> dict[str, EventFormat]:
    """Write the formats of a call's return (of that id) and entry (the next)."""
    number = ("__syscall_nr", "int", 8, 4)
    values = [(one, kind, 16 + 8 * place, 8) for place, (one, kind) in enumerate(arguments)]
    entry, leaving = ENTER_PREFIX + name, EXIT_PREFIX + name
    return {
        leaving: made_format(leaving, event_id, number, ("ret", "long", 16, 8)),
        entry: made_format(entry, event_id + 1, number, *values),
    }


MADE_FORMATS: Mapping[str, EventFormat] = {
    **call_formats("read", 100, ("fd", "unsigned int"), ("buf", "char *"), ("count", "size_t")),
    **call_formats("newfstat", 102, ("fd", "unsigned int"), ("statbuf", "struct stat *")),
    **call_formats("getpid", 104),
    **call_formats("clone", 106, ("clone_flags", "unsigned long")),
    **call_formats("execve", 108, ("filename", "const char *")),
    **call_formats("exit", 110, ("error_code", "int")),
    **call_formats("exit_group", 112, ("error_code", "int")),
    **call_formats("rt_sigreturn", 114),
    NEWTASK: made_format(
        NEWTASK,
        20,
        ("pid", "pid_t", 8, 4),
        ("comm", "char[16]", 12, 16),
        ("clone_flags", "u64", 32, 8),
    ),
    RENAME: made_format(
        RENAME,
        21,
        ("pid", "pid_t", 8, 4),
        ("oldcomm", "char[16]", 12, 16),
        ("newcomm", "char[16]", 28, 16),
    ),
    EXEC: made_format(EXEC, 22, ("pid", "pid_t", 12, 4), ("old_pid", "pid_t", 16, 4)),
    TASK_EXIT: made_format(TASK_EXIT, 23, ("comm", "char[16]", 8, 16), ("pid", "pid_t", 24, 4)),
    WAKING: made_format(WAKING, 24, ("pid", "pid_t", 8, 4)),
}
"""A kernel with few calls: of no, one, several arguments, and those that never return."""


@frozen(kw_only=True)
class MadeEvent:
    """One event: its common columns, and the values of its layout's columns."""

    name: str
    time_ns: int
    cpu: int
    tid: int
    values: Mapping[str, Value]


@define(eq=False)
class TableBuilder:
    """Writes events. Every method that writes returns the builder, so calls can be chained.

    `events` are those written and not taken yet.
    """

    formats: Mapping[str, EventFormat] = field(factory=lambda: MADE_FORMATS)
    syscalls: SyscallTable = field(init=False)
    schema: EventSchema = field(init=False)
    events: list[MadeEvent] = field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        """Work out what a source works out of its formats."""
        self.syscalls = SyscallTable.of(self.formats)
        self.schema = EventSchema.of([*self.syscalls.layouts(), *task_layouts(self.formats)])

    @property
    def task_event_ids(self) -> dict[str, int]:
        """The ids of the events that tell of tasks, by name."""
        return {name: self.formats[name].event_id for name in TASK_EVENTS}

    @property
    def exec_entries(self) -> frozenset[int]:
        """The ids of the entries of calls that execute files."""
        return exec_entries(self.formats)

    def enter(self, tid: int, call: str, *arguments: int, at: int, cpu: int = 0) -> Self:
        """Let a task enter a call, by the kernel's name of it."""
        return self.event(ENTER_PREFIX + call, tid, at=at, cpu=cpu, values={"arguments": arguments})

    def leave(self, tid: int, call: str, result: int = 0, *, at: int, cpu: int = 0) -> Self:
        """Let a task return from a call."""
        return self.event(EXIT_PREFIX + call, tid, at=at, cpu=cpu, values={"result": result})

    def fork(
        self,
        tid: int,
        child: int,
        *,
        at: int,
        thread: bool = False,
        comm: bytes = b"sh",
        cpu: int = 0,
    ) -> Self:
        """Let a task make a process, or a thread of its own."""
        flags = CLONE_THREAD if thread else 0
        values: dict[str, Value] = {"pid": child, "comm": comm, "clone_flags": flags}
        return self.event(NEWTASK, tid, at=at, cpu=cpu, values=values)

    def rename(
        self,
        tid: int,
        comm: bytes,
        *,
        at: int,
        whom: int | None = None,
        old: bytes = b"",
        cpu: int = 0,
    ) -> Self:
        """Let a task, which was called `old`, name itself, or another one."""
        values: dict[str, Value] = {"pid": tid if whom is None else whom, "newcomm": comm}
        values["oldcomm"] = old
        return self.event(RENAME, tid, at=at, cpu=cpu, values=values)

    def execute(
        self, tid: int, *, at: int, old: int | None = None, file: bytes = b"", cpu: int = 0
    ) -> Self:
        """Let a task, which had the tid `old` before, become another program."""
        values: dict[str, Value] = {"pid": tid, "old_pid": tid if old is None else old}
        values["file"] = file
        return self.event(EXEC, tid, at=at, cpu=cpu, values=values)

    def end(self, tid: int, *, at: int, cpu: int = 0) -> Self:
        """End a task."""
        return self.event(TASK_EXIT, tid, at=at, cpu=cpu, values={"pid": tid})

    def wake(self, tid: int, *, at: int, cpu: int = 0) -> Self:
        """Write an event that is no part of a call."""
        return self.event(WAKING, tid, at=at, cpu=cpu, values={})

    def event(self, name: str, tid: int, *, at: int, cpu: int, values: Mapping[str, Value]) -> Self:
        """Write any event; `values` are of the columns of its layout."""
        self.events.append(MadeEvent(name=name, time_ns=at, cpu=cpu, tid=tid, values=values))
        return self

    def take(self) -> EventTable:
        """Return what was written since the last call, in order of time."""
        events, self.events = self.events, []
        return self.table(events)

    def table(self, events: Sequence[MadeEvent]) -> EventTable:
        """Return these events in order of time; those alike in time keep their order.

        Their typed rows are CPU by CPU, as those of a drain are.
        """
        ordered = sorted(events, key=lambda one: one.time_ns)
        event_id = np.array([self.formats[one.name].event_id for one in ordered], dtype=np.uint16)
        cpu = np.array([one.cpu for one in ordered], dtype=np.int16)
        slots = np.full(len(ordered), -1, dtype=np.int32)
        columns = {}
        for number, layout in enumerate(self.schema.layouts):
            mine = np.flatnonzero(self.schema.layout_of[event_id] == number)
            mine = mine[np.argsort(cpu[mine], kind="stable")]
            columns[layout.name] = np.zeros(len(mine), dtype=layout.dtype)
            for slot, row in enumerate(mine.tolist()):
                slots[row] = slot
                _fill(columns[layout.name][slot], ordered[row].values)
        return EventTable(
            time_ns=np.array([one.time_ns for one in ordered], dtype=np.int64),
            cpu=cpu,
            tid=np.array([one.tid for one in ordered], dtype=np.int32),
            event_id=event_id,
            slot=slots,
            columns=columns,
        )


def _fill(row: np.void, values: Mapping[str, Value]) -> None:
    for name, value in values.items():
        if isinstance(value, tuple):
            row[name][: len(value)] = value
        else:
            row[name] = value
