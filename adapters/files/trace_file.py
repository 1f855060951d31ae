"""A file that grows by whole appends, or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EDQUOT, EFBIG, EIO, EMFILE, ENOSPC, EROFS
from pathlib import Path
from threading import Lock
from typing import Self

from attrs import define, field

from ...ports.errors import ExportFailed

_ADVICE = {
    ENOSPC: "make room there, or trace less",
    EDQUOT: "make room within the quota, or trace less",
    EFBIG: "start the session again for a new file, or raise the limit on file sizes",
    EIO: "look at the disk (dmesg), or write to another one",
    EROFS: "mount it for writing, or write elsewhere",
    EMFILE: "stop other sessions, or raise the limit on open files",
}


@define(kw_only=True)
class TraceFile:
    """Open from `create` to `close`; threads may share it.

    Behind what was appended the file always has its `tail`, which makes it a whole document
    at any time. `length` is without the tail.
    """

    path: Path
    tail: bytes
    length: int = 0
    _descriptor: int
    _lock: Lock = field(factory=Lock)

    @classmethod
    def create(cls, path: Path, *, head: bytes = b"", tail: bytes = b"") -> Self:
        """Make a new file, never one that is there or that a link points to."""
        with _export_errors(f"The trace file {path} cannot be made"):
            path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o640)
        file = cls(path=path, tail=tail, descriptor=descriptor)
        try:
            file.append(head)
        except ExportFailed:
            file.close()
            path.unlink(missing_ok=True)
            raise
        return file

    def append(self, data: bytes) -> None:
        """Add all of the data, or leave the file as it was and raise `ExportFailed`."""
        with self._lock, _export_errors(f"The trace file {self.path} cannot take more"):
            try:
                _write_at(self._open_descriptor(), data + self.tail, self.length)
            except OSError:
                self._restore()
                raise
            self.length += len(data)

    def close(self) -> None:
        """Bring the data to the disk; again is harmless. Raise `ExportFailed`."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, -1
            if descriptor < 0:
                return
            with _export_errors(f"The trace file {self.path} may not be whole"):
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)

    def _open_descriptor(self) -> int:
        if self._descriptor < 0:
            raise ExportFailed(f"The trace file {self.path} is closed.")
        return self._descriptor

    def _restore(self) -> None:
        # The tail's place was the file's before, so it needs no room. Where even this fails,
        # the next append begins at the same place all the same.
        with suppress(OSError):
            _write_at(self._descriptor, self.tail, self.length)
        with suppress(OSError):
            os.ftruncate(self._descriptor, self.length + len(self.tail))


def _write_at(descriptor: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written


@contextmanager
def _export_errors(what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        number = getattr(error, "errno", None)
        reason = os.strerror(number).lower() if number else str(error)
        advice = _ADVICE.get(number or 0, "choose a directory that this program may write to")
        raise ExportFailed(f"{what}: {reason}; {advice}.") from error
