"""HTML whose texts cannot become tags: what is no `Html` is escaped."""

from html import escape
from typing import TypeAlias

from attrs import frozen

_VOID = frozenset({"meta", "link", "input"})


@frozen
class Html:
    """HTML that is finished."""

    text: str


Content: TypeAlias = Html | str | int | None
"""What an element can have inside; None is nothing."""


def element(tag: str, *inside: Content, **attributes: str | int) -> Html:
    """Write an element; a trailing `_` of an attribute's name is left out (`class_`)."""
    named = "".join(f' {key.rstrip("_")}="{_escaped(one)}"' for key, one in attributes.items())
    if tag in _VOID:
        return Html(f"<{tag}{named}>")
    return Html(f"<{tag}{named}>{joined(*inside).text}</{tag}>")


def joined(*inside: Content) -> Html:
    """Write one after the other."""
    return Html("".join(map(_written, inside)))


def _written(one: Content) -> str:
    if isinstance(one, Html):
        return one.text
    return "" if one is None else _escaped(one)


def _escaped(one: str | int) -> str:
    """Escape; what no encoding can hold becomes visible."""
    return escape(str(one).encode("utf-8", "backslashreplace").decode())
