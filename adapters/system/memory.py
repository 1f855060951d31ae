"""How this process keeps memory that it frees only to take it again."""

import ctypes
from contextlib import suppress

KEPT_BYTES = 16 << 20
"""So much freed memory is kept at most."""

BLOCK_BYTES = 4 << 20
"""Larger blocks than this are given back at once; columns are smaller."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # mallopt(3), malloc.h


def keep_freed_memory() -> None:
    """Let the C library keep what columns are made of from one batch to the next.

    By default it gives blocks as large as a column back to the kernel, which must clear every
    page again for the next batch: that doubled the time that columns are copied in. There is one
    arena, for each keeps memory of its own, and Python's lock keeps threads from needing more.
    Where the C library is another, nothing happens.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, BLOCK_BYTES)
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(_ARENA_MAX, 1)
