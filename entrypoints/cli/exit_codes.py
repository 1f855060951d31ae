"""How the program ended, in numbers that scripts can rely on."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command."""

    FINE = 0
    FAILED = 1
    """The tracer refused, or failed; stderr says why."""
    USAGE = 2
    UNREACHABLE = 3
    """The server does not answer."""
    LOSS = 4
    """Events were lost or dropped, or nodes failed, and `--fail-on-loss` was given."""


SIGNALLED = 128
"""Added to the number of the signal that ended the program, as shells do."""
