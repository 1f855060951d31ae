"""Spans as pages show them: few of many, each cut to a size that is known."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol

from attrs import define, field, frozen

from .quoting import printable
from .single_span import AttributeMap, AttributeValue, ScalarValue, SingleSpan, SingleSpanKind
from .trace_context import SpanContext

NAME_CHARACTERS = 128
TEXT_CHARACTERS = 200
"""So many has a name, or any other text of a sample, at most; what is cut ends in `...`."""

SAMPLE_CHARACTERS = 1000
"""So many have all attributes and events of a sample together."""

SAMPLE_EVENTS = 16
SMALL_ATTRIBUTES = 16
SPACING_NS = 1_000_000_000

_CUT = "..."


class RunningSpan(Protocol):
    """A span that is not over; its attributes may still change."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def kind(self) -> SingleSpanKind: ...  # noqa: D102

    @property
    def context(self) -> SpanContext: ...  # noqa: D102

    @property
    def parent_span_id(self) -> bytes: ...  # noqa: D102

    @property
    def started_ns(self) -> int: ...  # noqa: D102

    @property
    def attributes(self) -> AttributeMap: ...  # noqa: D102


@frozen(kw_only=True)
class SampleEvent:
    """A moment within a span, so long after its start."""

    name: str
    after_ns: int
    attributes: tuple[tuple[str, ScalarValue], ...] = ()


@frozen(kw_only=True)
class SpanSample:
    """A span that is shown: all texts are short, and can be printed.

    Of one that is still running, `duration_ns` is how long it has been. `left_out` counts
    attributes and events that would make it too large.
    """

    name: str
    kind: SingleSpanKind
    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes
    started_ns: int
    duration_ns: int
    running: bool = False
    error: str | None = None
    message: str = ""
    attributes: tuple[tuple[str, ScalarValue], ...] = ()
    events: tuple[SampleEvent, ...] = ()
    left_out: int = 0


def sample_of(span: SingleSpan, *, error: str | None = None) -> SpanSample:
    """Cut a span that is over to size; `error` is how it failed, if it did."""
    room = _Room()
    attributes = room.attributes(span.attributes)
    events = tuple(room.events(span))
    dropped = span.dropped_attributes + span.dropped_events + len(span.events) - len(events)
    return SpanSample(
        name=short(span.name, NAME_CHARACTERS),
        kind=span.kind,
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        started_ns=span.started_ns,
        duration_ns=span.ended_ns - span.started_ns,
        error=error,
        message=short(span.status_message, TEXT_CHARACTERS),
        attributes=attributes,
        events=events,
        left_out=room.left_out + dropped,
    )


def sample_of_running(span: RunningSpan, now_ns: int) -> SpanSample:
    """Show a span that is not over as it is now."""
    room = _Room()
    return SpanSample(
        name=short(span.name, NAME_CHARACTERS),
        kind=span.kind,
        trace_id=span.context.trace_id,
        span_id=span.context.span_id,
        parent_span_id=span.parent_span_id,
        started_ns=span.started_ns,
        duration_ns=max(0, now_ns - span.started_ns),
        running=True,
        attributes=room.attributes(dict(span.attributes)),
        left_out=room.left_out,
    )


def short(text: str, limit: int) -> str:
    """Cut a text, and make what is left of it visible."""
    if len(text) <= limit and text.isprintable():
        return text
    shown = printable(text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - len(_CUT)] + _CUT


@define
class Samples:
    """The newest of many spans, and before it some that ended at least a second apart.

    The newest is cut to size when another takes its place for good, or it is asked for: most of
    those that come at a high rate never are. One that is too large is cut at once.
    """

    limit: int
    _kept: deque[SpanSample | tuple[SingleSpan, str | None]] = field(init=False)
    _apart_ns: int = 0

    def __attrs_post_init__(self) -> None:
        """Keep none yet."""
        self._kept = deque(maxlen=self.limit)

    def add(self, span: SingleSpan, *, error: str | None = None) -> None:
        """Keep a span that ended now: instead of the one before, if that is not long ago."""
        if self._kept and span.ended_ns < self._apart_ns:
            self._kept.pop()
        else:
            self._apart_ns = span.ended_ns + SPACING_NS
            if self._kept:
                self._kept[-1] = _cut(self._kept[-1])
        self._kept.append((span, error) if _is_small(span) else sample_of(span, error=error))

    def newest_first(self) -> Sequence[SpanSample]:
        """Return what is kept."""
        return [_cut(one) for one in reversed(self._kept)]


def _cut(kept: SpanSample | tuple[SingleSpan, str | None]) -> SpanSample:
    return kept if isinstance(kept, SpanSample) else sample_of(kept[0], error=kept[1])


def _is_small(span: SingleSpan) -> bool:
    """Tell whether a span takes hardly more memory than a sample of it."""
    if span.events or span.links or len(span.attributes) > SMALL_ATTRIBUTES:
        return False
    room = SAMPLE_CHARACTERS - len(span.name) - len(span.status_message) - len(span.trace_state)
    for key, value in span.attributes.items():
        if isinstance(value, tuple):
            return False
        room -= len(key) + (len(value) if isinstance(value, str) else 0)
    return room >= 0


@define
class _Room:
    """What is left of the characters that a sample may have."""

    left: int = SAMPLE_CHARACTERS
    left_out: int = 0

    def text(self, text: str) -> str:
        """Take as much of a text as there is room for."""
        taken = short(text, TEXT_CHARACTERS)
        self.left -= len(taken)
        return taken

    def attributes(self, given: AttributeMap) -> tuple[tuple[str, ScalarValue], ...]:
        """Take as many attributes as there is room for, and count the rest."""
        taken = tuple(self._taken(given))
        self.left_out += len(given) - len(taken)
        return taken

    def events(self, span: SingleSpan) -> Iterator[SampleEvent]:
        """Take as many moments of a span as there is room for."""
        for one in islice(span.events, SAMPLE_EVENTS):
            if self.left <= 0:
                return
            yield SampleEvent(
                name=self.text(one.name),
                after_ns=one.time_ns - span.started_ns,
                attributes=self.attributes(one.attributes),
            )

    def _taken(self, given: AttributeMap) -> Iterator[tuple[str, ScalarValue]]:
        for key, value in given.items():
            if self.left <= 0:
                return
            shown = _shown(value)
            yield self.text(key), self.text(shown) if isinstance(shown, str) else shown


def _shown(value: AttributeValue) -> ScalarValue:
    """Turn a value into one that JSON has; a list becomes a text."""
    if isinstance(value, tuple):
        return ", ".join(short(str(one), TEXT_CHARACTERS) for one in islice(value, TEXT_CHARACTERS))
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
