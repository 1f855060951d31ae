"""Reading objects of the Kubernetes API, of which any part may be missing or of another type."""

from collections.abc import Iterator, Mapping
from typing import Any


def at(one: object, *path: str) -> object:
    """Return what is at a path of keys, or None."""
    for key in path:
        one = one.get(key) if isinstance(one, Mapping) else None
    return one


def text(one: object, *path: str) -> str:
    """Return the text at a path; empty if there is none."""
    found = at(one, *path)
    return found if isinstance(found, str) else ""


def number(one: object, *path: str) -> int:
    """Return the whole number at a path; 0 if there is none."""
    found = at(one, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def members(one: object, *path: str) -> Iterator[Mapping[str, Any]]:
    """Yield the objects in the list at a path; what is none is left out."""
    found = at(one, *path)
    if isinstance(found, list):
        yield from (member for member in found if isinstance(member, Mapping))
