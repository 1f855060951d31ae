"""What the agent in a virtual machine of Kata Containers says of a span.

It sends what the Rust crate `opentelemetry` 0.14 or 0.17 keeps of a span (`SpanData`), in one of
two encodings; `agent_span_reading` reads both. Here is what they have in common: the words, what
can be a span, and what makes a frame malformed.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from attrs import define, frozen

from ..errors import DataError
from ..single_span import (
    AttributeMap,
    AttributeValue,
    SingleSpan,
    SingleSpanKind,
    SpanEvent,
    SpanLink,
    SpanStatus,
)
from ..trace_context import MAX_STATE_CHARACTERS, SpanContext, read_trace_state

SPAN_KINDS: Mapping[str, SingleSpanKind] = {
    "Client": SingleSpanKind.CLIENT,
    "Server": SingleSpanKind.SERVER,
    "Producer": SingleSpanKind.PRODUCER,
    "Consumer": SingleSpanKind.CONSUMER,
    "Internal": SingleSpanKind.INTERNAL,
}
"""The names of one encoding; their order is the numbers of the other."""

SPAN_STATUSES: Mapping[str, SpanStatus] = {
    "Unset": SpanStatus.UNSET,
    "Ok": SpanStatus.OK,
    "Error": SpanStatus.ERROR,
}
"""Likewise."""

MAX_VALUES = 4_000
"""So many attributes, events, links and items may a span have. An agent keeps 128 of each kind, and
its events have fewer than ten attributes."""

OURS = "container_tracer."
"""What begins so is said by us, and by nobody else."""

CLOCK_SET_BACK = "container_tracer.clock_set_back_ns"

_INT64_END = 1 << 63
_SECOND_NS = 1_000_000_000
_SAMPLED_FLAG = 1


class Malformation(StrEnum):
    """Why a frame is no span, in a word."""

    UNREADABLE = "unreadable"
    CUT_SHORT = "cut_short"
    TRAILING_BYTES = "trailing_bytes"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    UNKNOWN_VARIANT = "unknown_variant"
    DUPLICATE_KEY = "duplicate_key"
    NOT_UNICODE = "not_unicode"
    NO_ID = "no_id"
    TOO_MANY_VALUES = "too_many_values"


class MalformedAgentSpan(DataError):
    """A frame from a virtual machine is no span; `reason` is for counting."""

    def __init__(self, reason: Malformation, what: str) -> None:
        super().__init__(f"This is no span of an agent: {what}.")
        self.reason = reason


@frozen(kw_only=True)
class AgentSpan:
    """A span as the agent sent it; `resource` is what it says of itself, which may be nothing."""

    span: SingleSpan
    resource: AttributeMap


@frozen(kw_only=True)
class AgentSpanContext:
    """Ids as the agent has them, as numbers: 0 is none."""

    trace_id: int
    span_id: int
    flags: int = _SAMPLED_FLAG
    trace_state: Sequence[tuple[str, str]] = ()

    @property
    def state(self) -> str:
        """Write the trace state as W3C does; empty if it breaks the rules for that."""
        if not self.trace_state:
            return ""
        state = ",".join(f"{key}={value}" for key, value in self.trace_state)
        return read_trace_state([state]) if len(state) <= MAX_STATE_CHARACTERS else ""


@define
class ValueBudget:
    """How many more values a span may have; lists that claim more are not even read."""

    left: int = MAX_VALUES

    def take(self, count: int) -> None:
        """Allow so many more; raise `MalformedAgentSpan`."""
        self.left -= count
        if self.left < 0:
            raise MalformedAgentSpan(
                Malformation.TOO_MANY_VALUES, f"it has more than {MAX_VALUES} values"
            )


def agent_span(
    *,
    context: AgentSpanContext,
    parent_span_id: int,
    kind: SingleSpanKind,
    name: str,
    started_ns: int,
    ended_ns: int,
    attributes: AttributeMap,
    dropped_attributes: int,
    events: Sequence[SpanEvent],
    dropped_events: int,
    links: Sequence[SpanLink | None],
    dropped_links: int,
    status: SpanStatus,
    status_message: str,
    resource: AttributeMap,
) -> AgentSpan:
    """Put a span together; raise `MalformedAgentSpan` if its ids are none.

    Links that lead nowhere, which OpenTelemetry does not have, count as dropped; so do attributes
    that only we may set. A guest's clock may be set back while a span lasts: then it ends when it
    began, and says so.
    """
    if not context.trace_id or not context.span_id:
        missing = "span" if context.trace_id else "trace"
        raise MalformedAgentSpan(Malformation.NO_ID, f"its {missing} id is 0")
    own = {name: value for name, value in attributes.items() if not name.startswith(OURS)}
    forged = len(attributes) - len(own)
    if ended_ns < started_ns:
        own[CLOCK_SET_BACK] = started_ns - ended_ns
        ended_ns = started_ns
    kept = tuple([link for link in links if link is not None])
    span = SingleSpan(
        name=name,
        kind=kind,
        trace_id=context.trace_id.to_bytes(16, "big"),
        span_id=context.span_id.to_bytes(8, "big"),
        parent_span_id=parent_span_id.to_bytes(8, "big") if parent_span_id else b"",
        trace_state=context.state,
        started_ns=started_ns,
        ended_ns=ended_ns,
        attributes=own,
        events=tuple(events),
        links=kept,
        status=status,
        status_message=status_message,
        dropped_attributes=dropped_attributes + forged,
        dropped_events=dropped_events,
        dropped_links=dropped_links + len(links) - len(kept),
    )
    return AgentSpan(span=span, resource=resource)


def link_to(context: AgentSpanContext, attributes: AttributeMap, dropped: int) -> SpanLink | None:
    """Make a link; None if it leads nowhere."""
    if not context.trace_id or not context.span_id:
        return None
    return SpanLink(
        context=SpanContext(
            trace_id=context.trace_id.to_bytes(16, "big"),
            span_id=context.span_id.to_bytes(8, "big"),
            sampled=bool(context.flags & _SAMPLED_FLAG),
            trace_state=context.state,
        ),
        attributes=attributes,
        dropped_attributes=dropped,
    )


def time_ns(seconds: int, nanoseconds: int) -> int:
    """Make one number of the two halves of a time since 1970; raise `MalformedAgentSpan`."""
    time = seconds * _SECOND_NS + nanoseconds
    if nanoseconds >= _SECOND_NS or time >= _INT64_END:
        raise MalformedAgentSpan(
            Malformation.OUT_OF_RANGE, f"{seconds} s and {nanoseconds} ns is no time"
        )
    return time


def event_attributes(
    pairs: Iterable[tuple[str, AttributeValue]], count: int
) -> tuple[AttributeMap, int]:
    """Make a map of `count` pairs; say how many are not in it.

    The first of a name counts: what the agent's library says of an event stands before the rest.
    """
    attributes: dict[str, AttributeValue] = {}
    for name, value in pairs:
        attributes.setdefault(name, value)
    return attributes, count - len(attributes)


def unknown_variant(what: str) -> MalformedAgentSpan:
    """Say that an enumeration has no such member."""
    return MalformedAgentSpan(Malformation.UNKNOWN_VARIANT, f"{what} is none that is known")
