"""Who starts the processes of containers from outside of them, and how such a process begins.

A runtime's daemon starts a shim for each pod; the shim starts `runc`, and that makes the process
which becomes the container's. Whoever records the daemon and the shim, and what they fork, has
every process of a container from its first instruction.

`runc` puts the process into the container's cgroup while it still runs code of its own (it even
starts itself anew there, from a copy of its file), and then executes the container's program.
"""

from .pod import Task

_SHIMS = ("containerd-shim", "conmon")
_DAEMONS = ("containerd", "crio")
_STAGES = ("runc", "crun", "youki", "exe")
_LAST_STAGE = "runc:[2:INIT]"
_OWN_FILES = (b"/proc/self/", b"/dev/fd/")

LAUNCH_NS = 10_000_000_000
"""Who takes longer than this to execute a container's program is taken for a part of it."""

_TICK_NS = 10_000_000
"""Clock ticks of /proc are hundredths of a second on every architecture (USER_HZ)."""


def is_shim(command: str) -> bool:
    """Tell whether a command name is that of a program which holds containers for a runtime.

    The kernel cuts names to 15 characters: of `containerd-shim-runc-v2` this much is left.
    """
    return command.startswith(_SHIMS)


def is_daemon(command: str) -> bool:
    """Tell whether a command name is that of a daemon which starts containers."""
    return command in _DAEMONS


def is_stage(command: str) -> bool:
    """Tell whether a command name is that of a runtime which is making a container's process."""
    return command.partition(":")[0] in _STAGES


def starts_anew(file: bytes, command: str) -> bool:
    """Tell whether a runtime executes a copy of itself, and not yet the container's program.

    `file` is what `sched_process_exec` says, `command` the name before that. The last stage
    executes nothing but the program, whatever the file is called.
    """
    return file.startswith(_OWN_FILES) and command != _LAST_STAGE


def is_launching(task: Task, pids: set[int], now_ns: int) -> bool:
    """Tell whether a task in a container is a runtime that has not come to the program yet.

    `pids` are the processes of the container, `now_ns` is time since boot. Anyone may take such
    a name, but not a parent outside of the container, nor be young for long.
    """
    young = now_ns - task.start_time * _TICK_NS < LAUNCH_NS
    return young and is_stage(task.command) and task.parent not in pids
