"""The kernel's filters of events, as far as watches use them: empty, or one comparison."""

import re
from collections.abc import Mapping

from ..ports.errors import EventUnavailable
from .event_record import FieldValue

_COMPARISON = re.compile(r"(?P<name>\w+) (?P<operator>&|==) (?P<number>0x[0-9a-f]+|\d+)")


def check_filter(event: str, text: str) -> None:
    """Refuse what the kernel would not read; raise `EventUnavailable`."""
    if text and not _COMPARISON.fullmatch(text):
        raise EventUnavailable(f"This kernel does not give {event} with the filter {text!r}.")


def passes(text: str, values: Mapping[str, FieldValue]) -> bool:
    """Tell whether an event with these values passes; fields without a value are 0."""
    comparison = _COMPARISON.fullmatch(text)
    if comparison is None:
        return True
    value, number = values.get(comparison["name"], 0), int(comparison["number"], 0)
    if not isinstance(value, int):
        return False
    return bool(value & number) if comparison["operator"] == "&" else value == number
