"""`container-tracer`, and as a plug-in of kubectl, `kubectl ctrace`: what a person types."""

import os
import signal
import sys

from .commands import COMMANDS
from .exit_codes import SIGNALLED
from .plugin_completion import completions
from .program import CLIENT, PLUGIN, Program
from .running import run


def main(program: Program = CLIENT) -> None:
    """Run one command, and exit with its code."""
    try:
        code = run(sys.argv[1:], os.environ, COMMANDS, program)
    except KeyboardInterrupt:  # before the command listens to signals, or after
        code = SIGNALLED + signal.SIGINT
    sys.exit(code)


def plugin() -> None:
    """Do so as kubectl's plug-in."""
    main(PLUGIN)


def complete() -> None:
    """Print what may stand where kubectl completes a word."""
    print("\n".join(completions(sys.argv[1:], COMMANDS)))


if __name__ == "__main__":
    main()
