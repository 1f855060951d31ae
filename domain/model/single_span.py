"""Spans one by one: what a tracer itself did, or the agent in a virtual machine.

What the kernel did for containers comes in columns (`spans.py`): there are too many of those.
The words and meanings are OpenTelemetry's (https://opentelemetry.io/docs/specs/otel/trace/api/).
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TypeAlias

from attrs import field, frozen

from .trace_context import SpanContext

ScalarValue: TypeAlias = bool | int | float | str
"""One value of an attribute; integers have 63 bits and a sign."""

AttributeValue: TypeAlias = ScalarValue | tuple[ScalarValue, ...]
"""What an attribute of a span may be; all items of a tuple have one type."""

AttributeMap: TypeAlias = Mapping[str, AttributeValue]


class SingleSpanKind(StrEnum):
    """On which side of a request a span is."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class SpanStatus(StrEnum):
    """How what a span is about ended, as far as somebody judged that."""

    UNSET = "unset"
    OK = "ok"
    ERROR = "error"


@frozen(kw_only=True)
class SpanEvent:
    """A moment within a span; `time_ns` is of the wall clock."""

    name: str
    time_ns: int
    attributes: AttributeMap = field(factory=dict)
    dropped_attributes: int = 0


@frozen(kw_only=True)
class SpanLink:
    """Another span that has to do with this one."""

    context: SpanContext
    attributes: AttributeMap = field(factory=dict)
    dropped_attributes: int = 0


@frozen(kw_only=True, eq=False)
class SpanOrigin:
    """Whose a span is: all attributes of its resource, `service.name` among them, and a scope.

    It is one object for many spans, told apart by identity.
    """

    attributes: AttributeMap
    scope: str = ""


@frozen(kw_only=True)
class SingleSpan:
    """One span: times are wall-clock nanoseconds, ids have 16 and 8 bytes.

    Without `parent_span_id` it is the root of its trace. `status_message` says what went wrong, if
    anything. `trace_state` is what other systems let the trace carry along. An `origin` of None
    is the tracer itself. `dropped_…` count what its maker had to leave out.
    """

    name: str
    kind: SingleSpanKind = SingleSpanKind.INTERNAL
    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes = b""
    trace_state: str = ""
    started_ns: int
    ended_ns: int
    attributes: AttributeMap = field(factory=dict)
    events: Sequence[SpanEvent] = ()
    links: Sequence[SpanLink] = ()
    status: SpanStatus = SpanStatus.UNSET
    status_message: str = ""
    origin: SpanOrigin | None = None
    dropped_attributes: int = 0
    dropped_events: int = 0
    dropped_links: int = 0


def by_origin(spans: Iterable[SingleSpan]) -> list[list[SingleSpan]]:
    """Part spans by whose they are; there is at least one in each list."""
    parted: dict[int, list[SingleSpan]] = {}
    for span in spans:
        parted.setdefault(id(span.origin), []).append(span)
    return list(parted.values())
