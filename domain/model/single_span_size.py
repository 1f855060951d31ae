"""How large single spans are, and how those that are too large are made smaller.

What anybody receives has a limit, and whoever makes a span may put megabytes into it. Less of a
span is better than none: long texts are cut, then what does not fit is left out and counted.
"""

from collections.abc import Sequence
from typing import TypeVar

from attrs import evolve

from .single_span import (
    AttributeMap,
    AttributeValue,
    ScalarValue,
    SingleSpan,
    SpanEvent,
    SpanLink,
)

SPAN_BYTES = 256
"""What a span takes beside what varies."""

_ITEM_BYTES = 32
_SHORTENED_CHARACTERS = (4_096, 256, 64)
"""To how many characters texts are cut, until the span fits."""

_Item = TypeVar("_Item", SpanEvent, SpanLink)


def size_of(span: SingleSpan) -> int:
    """Estimate how many bytes a span takes in memory, and at most on most wires."""
    return (
        SPAN_BYTES
        + _text_bytes(span.name)
        + _text_bytes(span.status_message)
        + _text_bytes(span.trace_state)
        + size_of_attributes(span.attributes)
        + sum(map(_item_bytes, span.events))
        + sum(map(_item_bytes, span.links))
    )


def size_of_attributes(attributes: AttributeMap) -> int:
    """Estimate the same of attributes."""
    return sum(map(_attribute_bytes, attributes, attributes.values()))


def cut_to(span: SingleSpan, max_bytes: int) -> SingleSpan:
    """Make a span fit, as `size_of` estimates it; one of less than a kilobyte is never cut."""
    if size_of(span) <= max_bytes:
        return span
    for characters in _SHORTENED_CHARACTERS:
        span = _shortened(span, characters)
        if size_of(span) <= max_bytes:
            return span
    return _thinned(span, max_bytes)


def attributes_cut_to(attributes: AttributeMap, max_bytes: int) -> tuple[AttributeMap, int]:
    """Make attributes fit; return them, and how many were left out."""
    for characters in _SHORTENED_CHARACTERS:
        if size_of_attributes(attributes) <= max_bytes:
            return attributes, 0
        attributes = _with_short_texts(attributes, characters)
    kept, _ = _first_attributes(attributes, max_bytes)
    return kept, len(attributes) - len(kept)


def _shortened(span: SingleSpan, characters: int) -> SingleSpan:
    return evolve(
        span,
        name=_short(span.name, characters),
        status_message=_short(span.status_message, characters),
        attributes=_with_short_texts(span.attributes, characters),
        events=tuple(
            evolve(
                one,
                name=_short(one.name, characters),
                attributes=_with_short_texts(one.attributes, characters),
            )
            for one in span.events
        ),
        links=tuple(
            evolve(one, attributes=_with_short_texts(one.attributes, characters))
            for one in span.links
        ),
    )


def _thinned(span: SingleSpan, max_bytes: int) -> SingleSpan:
    """Leave out what does not fit: attributes have precedence, then events, then links."""
    bare = evolve(span, trace_state="", attributes={}, events=(), links=())
    attributes, left = _first_attributes(span.attributes, max_bytes - size_of(bare))
    events, left = _first_items(span.events, left)
    links, _ = _first_items(span.links, left)
    return evolve(
        bare,
        attributes=attributes,
        events=events,
        links=links,
        dropped_attributes=span.dropped_attributes + len(span.attributes) - len(attributes),
        dropped_events=span.dropped_events + len(span.events) - len(events),
        dropped_links=span.dropped_links + len(span.links) - len(links),
    )


def _first_attributes(attributes: AttributeMap, max_bytes: int) -> tuple[AttributeMap, int]:
    """Return the attributes that fit, the first ones first, and how many bytes are left."""
    kept: dict[str, AttributeValue] = {}
    for name, value in attributes.items():
        size = _attribute_bytes(name, value)
        if size <= max_bytes:
            kept[name], max_bytes = value, max_bytes - size
    return kept, max_bytes


def _first_items(items: Sequence[_Item], max_bytes: int) -> tuple[tuple[_Item, ...], int]:
    kept: list[_Item] = []
    for one in items:
        size = _item_bytes(one)
        if size <= max_bytes:
            kept.append(one)
            max_bytes -= size
    return tuple(kept), max_bytes


def _item_bytes(item: SpanEvent | SpanLink) -> int:
    text = item.name if isinstance(item, SpanEvent) else item.context.trace_state
    return 2 * _ITEM_BYTES + _text_bytes(text) + size_of_attributes(item.attributes)


def _attribute_bytes(name: str, value: AttributeValue) -> int:
    named = _ITEM_BYTES + _text_bytes(name)
    if isinstance(value, tuple):
        return named + sum(map(_value_bytes, value))
    return named + _value_bytes(value)


def _value_bytes(value: ScalarValue) -> int:
    return _ITEM_BYTES + (_text_bytes(value) if isinstance(value, str) else 0)


def _text_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "backslashreplace"))


def _with_short_texts(attributes: AttributeMap, characters: int) -> AttributeMap:
    return {name: _short_value(value, characters) for name, value in attributes.items()}


def _short_value(value: AttributeValue, characters: int) -> AttributeValue:
    if isinstance(value, str):
        return _short(value, characters)
    if isinstance(value, tuple):
        return tuple(_short_value(one, characters) for one in value)  # type: ignore[misc]
    return value


def _short(text: str, characters: int) -> str:
    """Cut text, visibly."""
    return text if len(text) <= characters else f"{text[: characters - 1]}…"
