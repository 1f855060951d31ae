"""A node that belongs to another process, and ends in good order as soon as that is gone.

`python -m container_tracer.entrypoints.cli.attached_node PARENT FOLDER [FLAGS OF tracer-node]`:
PARENT is the process it belongs to, FOLDER is where its socket is; it is removed if the parent
is not there any more to do so.
"""

import ctypes
import os
import shutil
import signal
import sys

from ..node.__main__ import main as node_main

PR_SET_PDEATHSIG = 1
"""include/uapi/linux/prctl.h"""


def main() -> None:
    """Run the node until a signal, or until the parent is gone."""
    parent, folder, *flags = sys.argv[1:]
    sys.argv = ["tracer-node", *flags]
    # That address is for a node that is there to stay, and may be taken by it.
    os.environ.pop("ZPAGES_PORT", None)
    try:
        _end_with(int(parent))
        node_main()
    finally:
        if os.getppid() != int(parent):
            shutil.rmtree(folder, ignore_errors=True)


def _end_with(parent: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it ended before the kernel was told
        sys.exit(0)


if __name__ == "__main__":
    main()
