"""What is exported of a span from a virtual machine.

A guest is hostile, and an honest one talks too much: its agent attaches the arguments of what it
does, whole requests with the environment of containers among them. So texts are left out unless
they are under a name that never holds any of that, and all of it is bounded.
"""

import re
from collections.abc import Collection

from attrs import evolve, frozen

from ..single_span import (
    AttributeMap,
    AttributeValue,
    ScalarValue,
    SingleSpan,
    SpanEvent,
    SpanOrigin,
)
from ..single_span_size import cut_to

_SOURCE_TEXTS = frozenset(
    {
        "code.filepath",
        "code.file.path",
        "code.namespace",
        "code.module.name",
        "code.function",
        "code.function.name",
        "thread.name",
    }
)
HARMLESS_TEXTS = _SOURCE_TEXTS | {"mod"}
"""Attributes of spans whose text stands in the agent's source; no argument can have such a name."""

HARMLESS_EVENT_TEXTS = _SOURCE_TEXTS | {"level", "target"}
"""Likewise of events."""

MAX_SPAN_BYTES = 256 << 10
"""So much of one span is exported, as `single_span_size` estimates it."""

FEW_NUMBERS = 8

# An event's name is its message: one word, or the place in the source if it has no message.
_PLAIN_EVENT = re.compile(r"[A-Za-z_][\w.:-]{0,63}|event [\w./-]{1,200}:\d{1,9}", re.ASCII)


@frozen
class GuestTexts:
    """Decides what is exported of texts; with `dumps` it is all of them."""

    dumps: bool = False

    def exported(self, span: SingleSpan, origin: SpanOrigin) -> SingleSpan:
        """Say what is exported of a span; what is too much of it counts as dropped."""
        if self.dumps:
            return cut_to(evolve(span, origin=origin), MAX_SPAN_BYTES)
        events = [
            SpanEvent(
                name=one.name if _PLAIN_EVENT.fullmatch(one.name) else _redacted(one.name),
                time_ns=one.time_ns,
                attributes=_attributes(one.attributes, HARMLESS_EVENT_TEXTS),
                dropped_attributes=one.dropped_attributes,
            )
            for one in span.events
        ]
        shown = evolve(
            span,
            origin=origin,
            status_message=_redacted(span.status_message) if span.status_message else "",
            attributes=_attributes(span.attributes, HARMLESS_TEXTS),
            events=tuple(events),
            links=tuple(
                [evolve(one, attributes=_attributes(one.attributes, ())) for one in span.links]
            ),
        )
        return cut_to(shown, MAX_SPAN_BYTES)


def _attributes(attributes: AttributeMap, harmless: Collection[str]) -> AttributeMap:
    return {
        name: value if name in harmless else _without_text(value)
        for name, value in attributes.items()
    }


def _without_text(value: AttributeValue) -> AttributeValue:
    if isinstance(value, str):
        return _redacted(value)
    if isinstance(value, tuple) and not _few_numbers(value):
        return f"redacted ({len(value)} values)"
    return value


def _few_numbers(values: tuple[ScalarValue, ...]) -> bool:
    """Tell whether a list is too short to be text that was taken apart."""
    return len(values) <= FEW_NUMBERS and not any(isinstance(one, str) for one in values)


def _redacted(text: str) -> str:
    return f"redacted ({len(text.encode())} bytes)"
