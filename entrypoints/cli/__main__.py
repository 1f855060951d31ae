"""`container-tracer`: what a person types."""

import os
import sys

from .commands import COMMANDS
from .running import run


def main() -> None:
    """Run one command, and exit with its code."""
    sys.exit(run(sys.argv[1:], os.environ, COMMANDS))


if __name__ == "__main__":
    main()
