"""Bytes from a guest become frames: a length of 8 bytes, big-endian, and as many of payload.

The format is that of the exporter in Kata's agent (`src/agent/vsock-exporter` of Kata Containers).
"""

from collections.abc import Iterator

from attrs import define, field

from ..errors import DataError

HEADER_BYTES = 8


class FrameTooLong(DataError):
    """A guest says that a frame is longer than any may be: where the next one begins is unknown."""


class FrameCutShort(DataError):
    """A connection ended within a frame."""


@define
class FrameCutter:
    """Cuts what one connection sends into payloads, and holds what is not whole yet.

    `max_bytes` is how long a payload may be.
    """

    max_bytes: int
    _held: bytearray = field(factory=bytearray, init=False)

    @property
    def is_within_frame(self) -> bool:
        """Tell whether a frame has begun that is not whole."""
        return bool(self._held)

    @property
    def wanted_bytes(self) -> int:
        """Say how much will be held, with what is held already, until the next frame is whole."""
        if len(self._held) < HEADER_BYTES:
            return HEADER_BYTES
        return HEADER_BYTES + self._length_at(0)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take what came next; yield the payloads that are whole now, all of which must be taken.

        Raises `FrameTooLong` behind the last payload before that frame: nothing more can be cut.
        """
        self._held += data
        start = 0
        try:
            while (end := self._end_of_frame(start)) is not None:
                yield bytes(self._held[start + HEADER_BYTES : end])
                start = end
        finally:
            del self._held[:start]

    def end(self) -> None:
        """Take note that nothing more comes; raise `FrameCutShort` if something is missing."""
        if self.is_within_frame:
            raise FrameCutShort(f"it ended {len(self._held)} bytes into a frame")

    def _end_of_frame(self, start: int) -> int | None:
        """Find where the frame ends that begins there; None if it is not whole."""
        if len(self._held) < start + HEADER_BYTES:
            return None
        length = self._length_at(start)
        if length > self.max_bytes:
            raise FrameTooLong(f"a frame claims {length} bytes, more than {self.max_bytes}")
        end = start + HEADER_BYTES + length
        return end if end <= len(self._held) else None

    def _length_at(self, start: int) -> int:
        return int.from_bytes(self._held[start : start + HEADER_BYTES], "big")
