"""A span of a tracer's own that is not over, and the one that the code at hand runs in."""

from contextvars import ContextVar
from typing import Protocol

from attrs import define, field

from ..model.single_span import (
    AttributeValue,
    SingleSpan,
    SingleSpanKind,
    SpanLink,
    SpanStatus,
)
from ..model.trace_context import SpanContext


@define(kw_only=True, eq=False)
class OpenSpan:
    """A span that is not over.

    `context` is the span's own, and sampled if it will be exported. `told` is what those hear
    whom it asks for something: of itself if it will be, else what it has heard from its caller; a
    parent that nobody keeps is never named. `attributes` and `error` may change until it is over;
    an error of None is what the block raises, an empty one is none.
    """

    name: str
    kind: SingleSpanKind
    context: SpanContext
    told: SpanContext | None
    parent_span_id: bytes
    started_ns: int
    attributes: dict[str, AttributeValue] = field(factory=dict)
    links: list[SpanLink] = field(factory=list)
    error: str | None = None

    def fail(self, error: BaseException) -> None:
        """Note what it ended by, unless it is known already how it went."""
        if self.error is None:
            self.error = str(error) or type(error).__name__
            self.attributes["error.type"] = type(error).__name__

    def over(self, ended_ns: int) -> SingleSpan:
        """Say what it was."""
        return SingleSpan(
            name=self.name,
            kind=self.kind,
            trace_id=self.context.trace_id,
            span_id=self.context.span_id,
            parent_span_id=self.parent_span_id,
            trace_state=self.context.trace_state,
            started_ns=self.started_ns,
            ended_ns=ended_ns,
            attributes=dict(self.attributes),
            links=tuple(self.links),
            status=SpanStatus.ERROR if self.error else SpanStatus.UNSET,
            status_message=self.error or "",
        )


class SpanObserver(Protocol):
    """Sees every span begin and end, also those that nobody exports; it must be quick."""

    def began(self, span: OpenSpan) -> None:
        """Take note of a span that is not over."""

    def ended(self, span: SingleSpan) -> None:
        """Take note that a span that had begun is over."""


CURRENT: ContextVar[OpenSpan | None] = ContextVar("current own span", default=None)


def current_span() -> OpenSpan | None:
    """Return the span that this code runs in; None if it runs in none."""
    return CURRENT.get()


def told_context() -> SpanContext | None:
    """Return what those are to hear whom this code asks for something; None is nothing."""
    span = CURRENT.get()
    return span.told if span else None
