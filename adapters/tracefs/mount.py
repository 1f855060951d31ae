"""Where tracefs is, and mounting it where a person asked for that."""

import ctypes
import os
from pathlib import Path

from ...ports.errors import TracingUnavailable

_CANDIDATES = ("kernel/tracing", "kernel/debug/tracing")


def find_tracefs(sysfs: Path, *, mount: bool = False) -> Path:
    """Return tracefs's mount point under a sysfs; raise `TracingUnavailable` if there is none.

    With `mount`, mount it at its usual place first, if it is not mounted.
    """
    for candidate in _CANDIDATES:
        if _is_tracefs(sysfs / candidate):
            return sysfs / candidate
    usual = sysfs / _CANDIDATES[0]
    if not usual.is_dir():
        raise TracingUnavailable(
            f"There is no folder {usual}: this kernel has no tracing (CONFIG_FTRACE), or the"
            " host's sysfs is elsewhere (--sysfs-path)."
        )
    if mount:
        _mount(usual)
        return usual
    raise TracingUnavailable(
        f"tracefs is not mounted under {sysfs}: run 'mount -t tracefs nodev {usual}' as root,"
        " or start with --mount-tracefs."
    )


def _is_tracefs(folder: Path) -> bool:
    try:
        return (folder / "instances").is_dir()
    except PermissionError:
        raise TracingUnavailable(
            f"Cannot look into {folder}: permission denied; run as root."
        ) from None


def _mount(target: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"nodev", os.fsencode(target), b"tracefs", 0, None) == 0:
        return
    reason = os.strerror(ctypes.get_errno()).lower()
    raise TracingUnavailable(f"Cannot mount tracefs at {target}: {reason}; run as root.")
