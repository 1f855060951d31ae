"""Plain ways to show 64 raw bits, each for one value and for a column of them.

Whoever shows spans in columns asks `shape_of` a renderer, and needs to call it, value by value,
only where the answer is `OTHER`.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import Any

import numpy as np

from .spans import UInt8, UInt64

_BITS = 64


class ValueShape(IntEnum):
    """What a renderer makes of 64 raw bits."""

    SIGNED_32 = 0
    UNSIGNED_32 = 1
    SIGNED_64 = 2
    UNSIGNED_64 = 3
    POINTER = 4
    """`NULL`, or hex."""
    HEX = 5
    OTHER = 6
    """Only the renderer knows."""


def signed_32(raw: int) -> int:
    """Show the lower half, signed."""
    return ((raw & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000


def unsigned_32(raw: int) -> int:
    """Show the lower half."""
    return raw & 0xFFFFFFFF


def signed_64(raw: int) -> int:
    """Show all bits, signed."""
    return raw - (1 << _BITS) if raw >> (_BITS - 1) else raw


def pointer(raw: int) -> str:
    """Show an address."""
    return hex(raw) if raw else "NULL"


def shape_of(render: Callable[[int], Any]) -> ValueShape:
    """Tell what a renderer of arguments makes of raw bits: `int` takes them for unsigned."""
    return _SHAPES.get(render, ValueShape.OTHER)


def shape_of_result(result_text: Callable[[int], str]) -> ValueShape:
    """Tell how results are shown that are no errors; these are signed before they are shown."""
    return _RESULT_SHAPES.get(result_text, ValueShape.OTHER)


def narrow(bits: UInt64, shape: UInt8) -> UInt64:
    """Extend what is of 32 bits to 64, in place: what is signed then is so as an int64.

    Both columns are as long; `shape` has values of `ValueShape`.
    """
    for wanted, half in (
        (ValueShape.SIGNED_32, np.int32),
        (ValueShape.UNSIGNED_32, np.uint32),
    ):
        rows = np.flatnonzero(shape == wanted)
        if len(rows):
            bits[rows] = bits[rows].astype(half).astype(np.int64).view(np.uint64)
    return bits


_SHAPES: dict[Callable[[int], Any], ValueShape] = {
    signed_32: ValueShape.SIGNED_32,
    unsigned_32: ValueShape.UNSIGNED_32,
    signed_64: ValueShape.SIGNED_64,
    int: ValueShape.UNSIGNED_64,
    pointer: ValueShape.POINTER,
    hex: ValueShape.HEX,
}
_RESULT_SHAPES: dict[Callable[[int], str], ValueShape] = {
    str: ValueShape.SIGNED_64,
    hex: ValueShape.HEX,
}
