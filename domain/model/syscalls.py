"""System calls as this kernel describes them: names, arguments, and how to read those.

The `format` files of `syscalls:sys_enter_*` name each call and its arguments with their C types,
on every architecture. Records of all entries begin alike, and so do those of all exits.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum

import numpy as np
from attrs import frozen

from .event_batch import EventLayout
from .event_format import EventField, EventFormat, Placement, structured_dtype
from .spans import Bools, Int32, SpanArgument, SpanKind, UInt8
from .syscall_arguments import argument_renderer
from .task_events import EXIT as TASK_EXIT

ENTER_PREFIX = "syscalls:sys_enter_"
EXIT_PREFIX = "syscalls:sys_exit_"

MAX_ARGUMENTS = 6
NUMBER_OFFSET, VALUES_OFFSET = 8, 16
"""Where a record has the call's number and then its arguments or result, in bytes."""

ENTER = EventLayout(
    "syscall_enter",
    structured_dtype([("arguments", np.dtype(("<u8", (MAX_ARGUMENTS,))), VALUES_OFFSET)]),
    NUMBER_OFFSET + 4,
)
EXIT = EventLayout(
    "syscall_exit",
    structured_dtype([("result", np.dtype("<i8"), VALUES_OFFSET)]),
    VALUES_OFFSET + 8,
)

ENDING_TASK = frozenset({"exit", "exit_group"})
"""These leave no exit record: the task is gone."""

MOMENTARY = frozenset({"rt_sigreturn", "sigreturn"})
"""These leave no exit record: the task's registers are those of before a signal."""

RETURNING_ADDRESSES = frozenset({"mmap", "mremap", "brk", "shmat"})

REAL_NAMES: Mapping[str, str] = {
    "newstat": "stat",
    "newfstat": "fstat",
    "newlstat": "lstat",
    "newuname": "uname",
    "sendfile64": "sendfile",
    "umount": "umount2",
}
"""The kernel's name of a call's function, where it is not the name of the call."""


def real_name(kernel_name: str) -> str:
    """Return the name a person knows a call by (section 2 of the manual)."""
    return REAL_NAMES.get(kernel_name, kernel_name)


def syscall_names(events: frozenset[str]) -> dict[str, str]:
    """Map the real name of each traceable call to the kernel's, from the events there are."""
    kernel_names = (
        name.removeprefix(ENTER_PREFIX) for name in events if name.startswith(ENTER_PREFIX)
    )
    return {real_name(one): one for one in kernel_names if EXIT_PREFIX + one in events}


class CallRole(IntEnum):
    """What an event means for the call of its task."""

    NONE = 0
    ENTRY = 1
    RETURN = 2
    TASK_END = 3
    MOMENT = 4
    """An entry that is all there is of its call."""


@frozen(eq=False)
class SyscallTable:
    """The calls a source records, numbered, and what each event id says about them.

    `kinds` are numbered 0, 1, …; `never_returns` is bool by kind. `role` (uint8, of `CallRole`)
    and `kind` (int32, -1 for none) are by event id, of length 65,536.
    """

    kinds: Sequence[SpanKind]
    never_returns: Bools
    role: UInt8
    kind: Int32

    @classmethod
    def of(cls, formats: Mapping[str, EventFormat]) -> "SyscallTable":
        """Build from the formats of a source's events, by event name."""
        names = sorted(_usual_calls(formats))
        role, kind = np.zeros(1 << 16, dtype=np.uint8), np.full(1 << 16, -1, dtype=np.int32)
        for number, name in enumerate(names):
            entry = CallRole.MOMENT if name in MOMENTARY else CallRole.ENTRY
            for prefix, meaning in ((ENTER_PREFIX, entry), (EXIT_PREFIX, CallRole.RETURN)):
                event_id = formats[prefix + name].event_id
                role[event_id], kind[event_id] = meaning, number
        if TASK_EXIT in formats:
            role[formats[TASK_EXIT].event_id] = CallRole.TASK_END
        kinds = [_kind(name, formats[ENTER_PREFIX + name]) for name in names]
        never = np.array([name in ENDING_TASK | MOMENTARY for name in names], dtype=np.bool_)
        return cls(kinds, never, role, kind)

    def layouts(self) -> list[tuple[EventLayout, list[int]]]:
        """Say which event ids are entries and which are returns."""
        return [
            (layout, np.flatnonzero(np.isin(self.role, roles)).tolist())
            for layout, roles in (
                (ENTER, [CallRole.ENTRY, CallRole.MOMENT]),
                (EXIT, [CallRole.RETURN]),
            )
        ]


def _usual_calls(formats: Mapping[str, EventFormat]) -> Iterator[str]:
    """Name the calls whose entry and return both are as they should be."""
    for name, entry in formats.items():
        kernel_name = name.removeprefix(ENTER_PREFIX)
        returning = formats.get(EXIT_PREFIX + kernel_name)
        if kernel_name == name or returning is None or len(_values(returning)) != 1:
            continue
        if _usual(entry) and _usual(returning):
            yield kernel_name


def _values(one: EventFormat) -> Sequence[EventField]:
    """Return a call's arguments or result; text they point to may stand behind them."""
    return [value for value in one.fields[5:] if value.placement is Placement.INLINE]


def _usual(one: EventFormat) -> bool:
    """Tell whether values stand where they do on every kernel known so far."""
    values = _values(one)
    number = one.fields[4] if len(one.fields) > 4 else None  # noqa: PLR2004
    return (
        number is not None
        and (number.offset, number.size) == (NUMBER_OFFSET, 4)
        and len(values) <= MAX_ARGUMENTS
        and all(
            (value.offset, value.size) == (VALUES_OFFSET + 8 * place, 8)
            for place, value in enumerate(values)
        )
    )


def _kind(kernel_name: str, entry: EventFormat) -> SpanKind:
    name = real_name(kernel_name)
    return SpanKind(
        name,
        tuple(
            SpanArgument(one.name, one.type_name, argument_renderer(name, one.name, one.type_name))
            for one in _values(entry)
        ),
        result_text=hex if name in RETURNING_ADDRESSES else str,
    )
