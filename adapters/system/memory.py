"""How this process keeps memory that it frees only to take it again."""

import ctypes
from contextlib import suppress

KEPT_BYTES = 64 << 20
"""So much freed memory each arena keeps at most, and blocks up to half of it are in arenas."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt(3), malloc.h


def keep_freed_memory() -> None:
    """Let the C library keep what columns are made of from one batch to the next.

    By default it gives blocks as large as a column back to the kernel, which must clear every
    page again for the next batch: that doubled the time that columns are copied in. Where the C
    library is another, nothing happens.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, KEPT_BYTES // 2)
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
