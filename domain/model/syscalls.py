"""System calls as this kernel describes them: names, arguments, and how to read those.

The `format` files of `syscalls:sys_enter_*` name each call and its arguments with their C types,
on every architecture. Records of all entries begin alike, and so do those of all exits.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum

import numpy as np
from attrs import frozen

from .event_batch import EventLayout
from .event_format import EventFormat, structured_dtype
from .spans import Bools, Int32, SpanArgument, SpanKind, UInt8
from .syscall_arguments import argument_renderer
from .tasks import EXIT as TASK_EXIT

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

NEVER_RETURNING = frozenset({"exit", "exit_group", "rt_sigreturn", "sigreturn"})
"""These leave no exit record: the task is gone, or its registers are those of before a signal."""

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
        names = sorted(
            name.removeprefix(ENTER_PREFIX)
            for name, one in formats.items()
            if name.startswith(ENTER_PREFIX) and _usual(one)
        )
        role, kind = np.zeros(1 << 16, dtype=np.uint8), np.full(1 << 16, -1, dtype=np.int32)
        for number, name in enumerate(names):
            for prefix, meaning in _PREFIXES:
                if (one := formats.get(prefix + name)) and _usual(one):
                    role[one.event_id], kind[one.event_id] = meaning, number
        if TASK_EXIT in formats:
            role[formats[TASK_EXIT].event_id] = CallRole.TASK_END
        kinds = [_kind(name, formats[ENTER_PREFIX + name]) for name in names]
        never = np.array([name in NEVER_RETURNING for name in names], dtype=np.bool_)
        return cls(kinds, never, role, kind)

    def layouts(self) -> list[tuple[EventLayout, list[int]]]:
        """Say which event ids are entries and which are returns."""
        return [
            (layout, np.flatnonzero(self.role == role).tolist())
            for layout, role in ((ENTER, CallRole.ENTRY), (EXIT, CallRole.RETURN))
        ]


_PREFIXES = ((ENTER_PREFIX, CallRole.ENTRY), (EXIT_PREFIX, CallRole.RETURN))


def _usual(one: EventFormat) -> bool:
    """Tell whether values stand where they do on every kernel known so far."""
    fields = one.fields[4:]
    return (
        bool(fields)
        and (fields[0].offset, fields[0].size) == (NUMBER_OFFSET, 4)
        and all(
            (value.offset, value.size) == (VALUES_OFFSET + 8 * place, 8)
            for place, value in enumerate(fields[1 : 1 + MAX_ARGUMENTS])
        )
    )


def _kind(kernel_name: str, entry: EventFormat) -> SpanKind:
    name = real_name(kernel_name)
    return SpanKind(
        name,
        tuple(
            SpanArgument(one.name, one.type_name, argument_renderer(name, one.name, one.type_name))
            for one in entry.fields[5 : 5 + MAX_ARGUMENTS]
        ),
    )
