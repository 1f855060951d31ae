"""Tags: what an operator attaches to everything that is exported."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

Tags: TypeAlias = Mapping[str, str]

NO_TAGS: Tags = MappingProxyType({})


def tags_member(tags: Tags, quote: Callable[[str], str]) -> str:
    """Write tags as a member of a JSON object, with a comma before it; none are no member."""
    members = ",".join(f"{quote(key)}:{quote(value)}" for key, value in tags.items())
    return f',"tags":{{{members}}}' if tags else ""
