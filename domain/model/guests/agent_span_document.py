"""JSON from a hostile sender → Python's objects, of which there are not too many."""

import json
import re
from typing import NoReturn, TypeAlias

from .agent_span import MAX_VALUES, Malformation, MalformedAgentSpan

JsonObject: TypeAlias = dict[str, object]

LARGE_CHARACTERS = 256 << 10
"""What is longer is looked through before it is parsed: it could become fifty times as much."""

MAX_STRINGS = 6 * MAX_VALUES
MAX_OUTSIDE_CHARACTERS = 64 * MAX_VALUES
"""So many texts, and characters that are in none, does a document of so many values have."""

_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)


def parse_document(text: str) -> object:
    """Parse a whole document, in which no key is there twice; raise `MalformedAgentSpan`."""
    if len(text) > LARGE_CHARACTERS:
        _look_through(text)
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        # Python refuses numbers of thousands of digits, and lists in lists in lists.
        raise MalformedAgentSpan(Malformation.UNREADABLE, f"it is no JSON ({error})") from None


def _look_through(text: str) -> None:
    """Refuse a document that would become very large; what is in its texts does not count."""
    strings = inside = 0
    for found in _STRING.finditer(text):
        strings += 1
        inside += found.end() - found.start()
        if strings > MAX_STRINGS:
            break
    if strings > MAX_STRINGS or len(text) - inside > MAX_OUTSIDE_CHARACTERS:
        raise MalformedAgentSpan(
            Malformation.TOO_MANY_VALUES, f"it has more than {MAX_VALUES} values"
        )


def _unique(pairs: list[tuple[str, object]]) -> JsonObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedAgentSpan(Malformation.DUPLICATE_KEY, "a key is there twice")
    return found


def _refuse(literal: str) -> NoReturn:
    raise MalformedAgentSpan(Malformation.UNREADABLE, f"{literal} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse)
