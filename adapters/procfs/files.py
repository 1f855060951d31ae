"""Reading small kernel files fast, and files of containers safely."""

import os
import stat

GONE = (FileNotFoundError, ProcessLookupError, PermissionError, NotADirectoryError)
"""What reading procfs or cgroupfs raises where a process or cgroup ended, or may not be seen."""

_ONE_READ = 16_384
_LONGEST_DOCUMENT = 8 << 20


def names_in(folder: str) -> list[str]:
    """List a folder; unlike pathlib, make no object of each of its many entries."""
    return os.listdir(folder)  # noqa: PTH208


def link_target(path: str) -> str:
    """Read where a link leads."""
    return os.readlink(path)  # noqa: PTH115 - called several times for every process


def read_record(path: str) -> bytes:
    """Read a file that the kernel gives whole in one read, as most of `/proc/PID` is."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _ONE_READ)
    finally:
        os.close(descriptor)


def read_whole(path: str) -> bytes:
    """Read a file to its end, or up to 8 MiB of it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _drain(descriptor, _LONGEST_DOCUMENT)
    finally:
        os.close(descriptor)


def read_inside(root: str, *names: str, limit: int) -> bytes:
    """Read a file that a container controls: no link is followed, nothing but a file is opened.

    `root` itself may be a link, such as `/proc/PID/root`. A link further down could lead to
    files of the host, and opening a pipe could wait for ever.
    """
    folder = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names[:-1]:
            flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            below = os.open(name, flags, dir_fd=folder)
            os.close(folder)
            folder = below
        return _read_plain(folder, names[-1], limit)
    finally:
        os.close(folder)


def _read_plain(folder: int, name: str, limit: int) -> bytes:
    if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        return b""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=folder)
    try:
        return os.read(descriptor, limit)
    finally:
        os.close(descriptor)


def _drain(descriptor: int, limit: int) -> bytes:
    parts = []
    while limit > 0:
        part = os.read(descriptor, min(limit, 1 << 16))
        if not part:
            break
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)
