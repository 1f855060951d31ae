"""The kernel's events that tell of tasks: their names, and how their records are read."""

from collections.abc import Mapping

import numpy as np

from .event_batch import EventLayout
from .event_format import EventFormat, structured_dtype

NEWTASK = "task:task_newtask"
RENAME = "task:task_rename"
EXEC = "sched:sched_process_exec"
EXIT = "sched:sched_process_exit"
TASK_EVENTS = (NEWTASK, RENAME, EXEC, EXIT)
"""What every source records besides what its sessions ask for."""

EXEC_ENTRIES = ("syscalls:sys_enter_execve", "syscalls:sys_enter_execveat")
"""The entries of the system calls that execute files."""

CLONE_THREAD = 0x00010000
"""include/uapi/linux/sched.h: the child is a thread of the caller's process."""


def task_layouts(formats: Mapping[str, EventFormat]) -> list[tuple[EventLayout, list[int]]]:
    """Return a layout for each of `TASK_EVENTS`; that of execs has the start of the `file`."""
    return [(_layout(name, formats[name]), [formats[name].event_id]) for name in TASK_EVENTS]


def exec_entries(formats: Mapping[str, EventFormat]) -> frozenset[int]:
    """Return the ids of the entries of calls that execute files, if they are recorded."""
    return frozenset(formats[name].event_id for name in EXEC_ENTRIES if name in formats)


def _layout(name: str, one: EventFormat) -> EventLayout:
    if name != EXEC:
        return EventLayout(name, one.dtype, one.size)
    # The name of the file is the only text of the record, and so begins where its fields end.
    inside = [(each.name, each.dtype, each.offset) for each in one.fields]
    dtype = structured_dtype([*inside, ("file", np.dtype("S16"), one.size)])
    return EventLayout(name, dtype, one.size)
