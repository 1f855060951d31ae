"""What files of all exporters have in common."""

from collections.abc import Mapping
from datetime import datetime, time
from typing import Literal, TypeAlias

FileFormat: TypeAlias = Literal["perfetto", "jsonl"]

FILE_FORMATS: Mapping[str, FileFormat] = {
    "file": "perfetto",
    "file:perfetto": "perfetto",
    "file:jsonl": "jsonl",
}
"""The exporters that write files, and what each writes."""

_SECOND_NS = 1_000_000_000


def midnight_ns(now: datetime) -> int:
    """Find the start of a day: near enough that a double can count from it exactly."""
    midnight = datetime.combine(now, time(tzinfo=now.tzinfo))
    return int(midnight.timestamp()) * _SECOND_NS
