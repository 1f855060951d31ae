"""Values of an event's fields → the bytes of its record, as its format says."""

import struct
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from ..domain.model.event_format import EventField, EventFormat, Placement

FieldValue: TypeAlias = int | str | bytes | Sequence[int]
"""A number, text (which ends with a NUL where it has a length of its own), bytes, an array."""


def encode_event(event: EventFormat, values: Mapping[str, FieldValue], *, tid: int = 0) -> bytes:
    """Write the bytes of a record as its format says; text that has a place goes behind."""
    known = {"common_type": event.event_id, "common_pid": tid}
    record = bytearray(event.size)
    for name, value in {**known, **values}.items():
        one = event[name]
        if one.placement is Placement.INLINE:
            record[one.offset : one.offset + one.size] = _inline(one, value)
            continue
        data = _elsewhere(value)
        if one.placement is not Placement.TAIL:
            base = one.offset + one.size if one.placement is Placement.REL_LOC else 0
            place = len(data) << 16 | (len(record) - base)
            struct.pack_into("<I", record, one.offset, place)
        record += data
    return bytes(record)


def _inline(one: EventField, value: FieldValue) -> bytes:
    if isinstance(value, (str, bytes)):
        return _text(value)[: one.size].ljust(one.size, b"\0")
    size = one.size // one.count
    numbers = (value,) if isinstance(value, int) else value
    data = b"".join((x & ((1 << 8 * size) - 1)).to_bytes(size, "little") for x in numbers)
    return data.ljust(one.size, b"\0")


def _elsewhere(value: FieldValue) -> bytes:
    if isinstance(value, (str, bytes)):
        return _text(value) + (b"\0" if isinstance(value, str) else b"")
    raise TypeError(f"A field of varying length takes text or bytes, not {value!r}.")


def _text(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
