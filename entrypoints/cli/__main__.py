"""`container-tracer`: what a person types."""

import os
import signal
import sys

from .commands import COMMANDS
from .exit_codes import SIGNALLED
from .running import run


def main() -> None:
    """Run one command, and exit with its code."""
    try:
        code = run(sys.argv[1:], os.environ, COMMANDS)
    except KeyboardInterrupt:  # before the command listens to signals, or after
        code = SIGNALLED + signal.SIGINT
    sys.exit(code)


if __name__ == "__main__":
    main()
