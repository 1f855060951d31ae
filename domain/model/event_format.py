"""The text of an event's `format` file → its fields and a numpy dtype.

Source of the format: Documentation/trace/events.rst and kernel/trace/trace_events.c of Linux.
"""

import re
from collections.abc import Iterable
from enum import Enum

import numpy as np
from attrs import evolve, field, frozen

from .errors import DataError

_HEAD = re.compile(r"^name: (?P<name>\S+)\nID: (?P<id>\d{1,5})\nformat:\n", re.MULTILINE | re.ASCII)
_FIELD = re.compile(
    r"^\tfield:(?P<declaration>[^;\n]{1,256});\toffset:(?P<offset>\d{1,5});\t"
    r"size:(?P<size>\d{1,5});(?:\tsigned:(?P<signed>-?\d+);)?",
    re.MULTILINE | re.ASCII,
)
_DECLARATION = re.compile(r"^(?P<type>.*?)\s*\b(?P<name>\w+)(?P<dimension>(?:\[[^\]]*\])*)$")
_NUMBER = re.compile(r"\d{1,5}", re.ASCII)
_SCALAR_SIZES = (1, 2, 4, 8)

MAX_EVENT_ID = (1 << 16) - 1
MAX_RECORD_SIZE = 1 << 16
"""In bytes: the places of a `__data_loc` have 16 bits, and sub-buffers are not much larger."""

COMMON = (("common_type", 0, 2), ("common_pid", 4, 4))
"""What the decoder reads of every record without asking its format: name, offset, size."""


class UnreadableFormat(DataError):
    """A `format` file does not say what a record looks like."""


class Placement(Enum):
    """Where the value of a field is: in the field, or elsewhere in the record."""

    INLINE = "inline"
    DATA_LOC = "data_loc"
    """The field is u32: offset from the record's start in the low half, length in the high."""
    REL_LOC = "rel_loc"
    """Likewise, but the offset counts from the end of the field."""
    TAIL = "tail"
    """A flexible array: from its offset to the record's end."""


@frozen(kw_only=True)
class EventField:
    """One field of a record: `offset` and `size` in bytes, `count` elements if it is an array."""

    name: str
    type_name: str
    offset: int
    size: int
    signed: bool
    count: int = 1
    placement: Placement = Placement.INLINE

    @property
    def dtype(self) -> np.dtype[np.void] | np.dtype[np.generic]:
        """How numpy reads it: an integer, text (S), a sub-array, or opaque bytes (V)."""
        if self.placement in (Placement.DATA_LOC, Placement.REL_LOC):
            return np.dtype("<u4")
        if self.count > 1 and self.type_name.startswith("char["):
            return np.dtype(f"S{self.size}")
        element, remainder = divmod(self.size, self.count)
        if remainder or element not in _SCALAR_SIZES:
            return np.dtype(f"V{self.size}")
        scalar = np.dtype(f"<{'i' if self.signed else 'u'}{element}")
        return scalar if self.count == 1 else np.dtype((scalar, (self.count,)))


@frozen(kw_only=True)
class EventFormat:
    """What a record of one event looks like. `size` is the least a record can have, in bytes."""

    name: str
    event_id: int
    fields: tuple[EventField, ...] = field(repr=False)

    @property
    def size(self) -> int:
        """The end of the last field, in bytes."""
        return max((one.offset + one.size for one in self.fields), default=0)

    @property
    def dtype(self) -> np.dtype[np.void]:
        """A structured dtype of all fields but tails, padded to whole 32-bit words."""
        inside = [one for one in self.fields if one.placement is not Placement.TAIL]
        return structured_dtype((one.name, one.dtype, one.offset) for one in inside)

    def __getitem__(self, name: str) -> EventField:
        """Return a field by name; raise `UnreadableFormat` if the event has none such."""
        for one in self.fields:
            if one.name == name:
                return one
        raise UnreadableFormat(f"Event {self.name} has no field {name!r} on this kernel.")


def structured_dtype(
    columns: Iterable[tuple[str, np.dtype[np.generic] | np.dtype[np.void], int]],
) -> np.dtype[np.void]:
    """Build a dtype of (name, dtype, offset) columns, padded to whole 32-bit words."""
    names, formats, offsets = zip(*columns, strict=True)
    end = max(offset + kind.itemsize for kind, offset in zip(formats, offsets, strict=True))
    return np.dtype(
        {
            "names": list(names),
            "formats": list(formats),
            "offsets": list(offsets),
            "itemsize": -(-end // 4) * 4,
        }
    )


def parse_event_format(text: str) -> EventFormat:
    """Read the text of `events/SYSTEM/NAME/format`; raise `UnreadableFormat`."""
    head = _HEAD.search(text)
    if head is None:
        raise UnreadableFormat(f"An event format lacks its name or ID: {text[:60]!r}.")
    body, _, _ = text.partition("\nprint fmt:")
    matches = list(_FIELD.finditer(body))
    if body.count("\tfield:") != len(matches):
        raise UnreadableFormat(f"The format of event {head['name']} has a field that is not one.")
    fields = _distinct([_field(match) for match in matches])
    result = EventFormat(name=head["name"], event_id=int(head["id"]), fields=fields)
    _check(result)
    return result


def _check(one: EventFormat) -> None:
    if not {(x.name, x.offset, x.size) for x in one.fields}.issuperset(COMMON):
        raise UnreadableFormat(f"Event {one.name} lacks the fields that all events begin with.")
    if one.event_id > MAX_EVENT_ID or one.size > MAX_RECORD_SIZE:
        raise UnreadableFormat(f"Event {one.name} has an ID or a size that no record can have.")


def _field(match: re.Match[str]) -> EventField:
    declaration = _DECLARATION.match(match["declaration"].strip())
    if declaration is None:
        raise UnreadableFormat(f"Cannot read the field declaration {match['declaration']!r}.")
    type_name, size = declaration["type"], int(match["size"])
    placement, type_name = _placement(type_name, size)
    return EventField(
        name=declaration["name"],
        type_name=type_name + declaration["dimension"],
        offset=int(match["offset"]),
        size=size,
        signed=match["signed"] not in (None, "0"),
        count=_count(declaration["dimension"], size) if placement is Placement.INLINE else 1,
        placement=placement,
    )


def _placement(type_name: str, size: int) -> tuple[Placement, str]:
    for keyword, placement in (
        ("__data_loc ", Placement.DATA_LOC),
        ("__rel_loc ", Placement.REL_LOC),
    ):
        if type_name.startswith(keyword):
            if size != 4:  # noqa: PLR2004
                raise UnreadableFormat(f"A {keyword}field of {size} bytes is not a place.")
            return placement, type_name.removeprefix(keyword)
    return (Placement.INLINE if size else Placement.TAIL), type_name


def _count(dimension: str, size: int) -> int:
    """Count an array's elements; a dimension that is no number (a C constant) means bytes."""
    count = 1
    for length in re.findall(r"\[([^\]]*)\]", dimension):
        count *= int(length) if _NUMBER.fullmatch(length) and int(length) else size
    return count


def _distinct(fields: list[EventField]) -> tuple[EventField, ...]:
    """Tell fields of the same name apart by a number: numpy wants distinct names."""
    result: dict[str, EventField] = {}
    used: dict[str, int] = {}
    for one in fields:
        name = one.name
        while name in result:
            used[one.name] = used.get(one.name, 1) + 1
            name = f"{one.name}_{used[one.name]}"
        result[name] = evolve(one, name=name)
    return tuple(result.values())
