"""Who starts the processes of containers from outside of them.

A runtime's daemon starts a shim for each pod; the shim starts `runc`, and that makes the process
which becomes the container's. Whoever records the daemon and the shim, and what they fork, has
every process of a container from its first instruction.
"""

_SHIMS = ("containerd-shim", "conmon")
_RUNTIMES = ("containerd", "crio")


def is_shim(command: str) -> bool:
    """Tell whether a command name is that of a program which holds containers for a runtime.

    The kernel cuts names to 15 characters: of `containerd-shim-runc-v2` this much is left.
    """
    return command.startswith(_SHIMS)


def is_runtime(command: str) -> bool:
    """Tell whether a command name is that of a daemon which starts containers."""
    return command in _RUNTIMES
