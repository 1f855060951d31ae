"""Failures of a procfs mount become errors of the port."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...ports.errors import DiscoveryFailed


@contextmanager
def procfs_errors(procfs: Path) -> Iterator[None]:
    """Turn failures of the mount, not of single processes, into `DiscoveryFailed`."""
    try:
        yield
    except OSError as error:
        raise DiscoveryFailed(
            f"Processes cannot be listed in {procfs}: {error.strerror}. Mount the host's procfs"
            " there, readable for this program, or name its mount point with --procfs-path."
        ) from error
