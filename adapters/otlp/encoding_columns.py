"""Bytes in columns: numbers as protobuf and as hex, and pieces of bytes put in their places."""

from array import array
from collections.abc import Iterable

import numpy as np
from attrs import define, field, frozen

from ...domain.model.spans import Int32, Int64, UInt8, UInt64

MAX_VARINT, MAX_HEX = 10, 16
"""How many bytes 64 bits take."""

SPILL = 16
"""Digits are written so wide; what spills over their end is for others to write afterwards."""

_VARINT_LENGTHS = np.array([1, *(-(-bits // 7) for bits in range(1, 65))])
_HEX_LENGTHS = np.array([1, *(-(-bits // 4) for bits in range(1, 65))])
_CONTINUED = np.array(
    [
        sum(0x80 << 8 * place for place in range(min(count - 1, 8)))
        for count in range(MAX_VARINT + 1)
    ],
    np.uint64,
)
"""The bits that say that more bytes come, in the first eight of a varint, by its length."""


def varint_lengths(numbers: UInt64) -> Int64:
    """Count the bytes of each number as a varint."""
    return _VARINT_LENGTHS[_bit_lengths(numbers)]


def hex_lengths(numbers: UInt64) -> Int64:
    """Count the hex digits of each number."""
    return _HEX_LENGTHS[_bit_lengths(numbers)]


def _bit_lengths(numbers: UInt64) -> Int32:
    # Without the bit below its highest, no number is rounded up to a power of two.
    return np.frexp((numbers & ~(numbers >> 1)).astype(np.float64))[1]


def varints(numbers: UInt64, lengths: Int64) -> UInt64:
    """Encode numbers as varints of the given (least) lengths, in two words of bytes each."""
    digits = np.empty((len(numbers), 2), "<u8")
    low = numbers & 0xFF_FFFF_FFFF_FFFF
    # Halves, quarters, eighths: each step makes room for a bit at the top of every part.
    low = (low & 0xFF_FFFF_F000_0000) << 4 | low & 0xFFF_FFFF
    low = (low & 0xFFF_C000_0FFF_C000) << 2 | low & 0x3FFF_0000_3FFF
    low = (low & 0x3F80_3F80_3F80_3F80) << 1 | low & 0x7F_007F_007F_007F
    digits[:, 0] = low | _CONTINUED[lengths]
    if len(lengths) and lengths.max() > 8:  # noqa: PLR2004 - bytes of the first word
        high = numbers >> 56
        more = (lengths == MAX_VARINT).astype(np.uint64) << 7
        digits[:, 1] = high & 0x7F | high >> 7 << 8 | more
    return digits


def hex_digits(numbers: UInt64, lengths: Int64) -> UInt64:
    """Write numbers as so many lower-case hex digits, in two words of bytes each."""
    first = numbers << (4 * (MAX_HEX - lengths)).astype(np.uint64)
    part = np.stack([first >> 32, first & 0xFFFF_FFFF], axis=1)
    part = (part << 16 | part) & 0xFFFF_0000_FFFF
    part = (part << 8 | part) & 0xFF_00FF_00FF_00FF
    part = (part << 4 | part) & 0x0F0F_0F0F_0F0F_0F0F
    letters = (part + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
    part += 0x3030_3030_3030_3030 + letters * 0x27
    return part.astype(">u8")


def put_varints(target: UInt8, at: Int64, numbers: UInt64, lengths: Int64) -> None:
    """Write varints; up to 7 bytes behind each may be overwritten."""
    words = varints(numbers, lengths)
    places(target, 8)[at] = words[:, 0].view("V8")
    long = np.flatnonzero(lengths > 8)  # noqa: PLR2004 - bytes of the first word
    if len(long):
        places(target, 2)[at[long] + 8] = words[long, 1].astype("<u2").view("V2")


def put_hex(target: UInt8, at: Int64, numbers: UInt64, lengths: Int64) -> None:
    """Write hex digits; up to 15 bytes behind each may be overwritten."""
    places(target, MAX_HEX)[at] = hex_digits(numbers, lengths).view(f"V{MAX_HEX}")[:, 0]


@frozen(eq=False)
class PieceColumns:
    """Pieces of bytes, by number: `length` bytes from `begin` in `source`, int64 both."""

    source: UInt8
    begin: Int64
    length: Int64

    @classmethod
    def of(cls, pieces: Iterable[bytes]) -> "PieceColumns":
        """Give pieces numbers in their order."""
        collected = Pieces()
        for piece in pieces:
            collected.add(piece)
        return collected.columns()


@define
class Pieces:
    """Pieces of bytes, numbered as they come; they stay as long as it does."""

    _data: bytearray = field(factory=bytearray)
    _begin: "array[int]" = field(factory=lambda: array("q"))
    _columns: PieceColumns | None = None

    def __len__(self) -> int:
        """Count the pieces."""
        return len(self._begin)

    def add(self, piece: bytes) -> int:
        """Keep a piece and return its number."""
        self._columns = None
        self._begin.append(len(self._data))
        self._data += piece
        return len(self._begin) - 1

    def columns(self) -> PieceColumns:
        """Return all pieces there are so far."""
        if self._columns is None:
            begin = np.array(self._begin, np.int64)
            length = np.diff(begin, append=len(self._data))
            self._columns = PieceColumns(np.frombuffer(bytes(self._data), np.uint8), begin, length)
        return self._columns


def put(target: UInt8, at: Int64, source: UInt8, begin: Int64, length: Int64) -> None:
    """Copy pieces of any lengths: `length[i]` bytes from `source[begin[i]]` to `target[at[i]]`.

    A piece is copied as two that overlap, each as long as the greatest power of two that fits,
    so that pieces of like lengths are copied together.
    """
    power = np.frexp(length.astype(np.float32))[1]
    for one in np.flatnonzero(np.bincount(power)).tolist():
        if one == 0:
            continue  # no bytes
        width = 1 << one - 1
        rows = np.flatnonzero(power == one)
        whole = len(rows) == len(power)
        to, start = (at, begin) if whole else (at[rows], begin[rows])
        targets, sources = places(target, width), places(source, width)
        targets[to] = sources[start]
        rest = (length if whole else length[rows]) - width
        if rest.any():
            targets[to + rest] = sources[start + rest]


def places(data: UInt8, width: int) -> "np.ndarray[tuple[int], np.dtype[np.void]]":
    """View bytes as overlapping items so wide, one beginning at each byte."""
    return np.ndarray((max(len(data) - width + 1, 0),), f"V{width}", data, strides=(1,))
