"""Spans of what a tracer itself did, as opposed to what the containers it traces do."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias

from attrs import field, frozen

AttributeValue: TypeAlias = int | str
"""What an attribute of a span may be; integers have 63 bits and a sign."""


class OwnSpanKind(StrEnum):
    """On which side of a request a span is, in OpenTelemetry's words."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"


@frozen(kw_only=True)
class OwnSpan:
    """A span of a tracer: times are wall-clock nanoseconds, ids have 16 and 8 bytes.

    Without `parent_span_id` it is the root of its trace. `error` says what went wrong, if
    anything; `trace_state` is what other systems let the trace carry along.
    """

    name: str
    kind: OwnSpanKind = OwnSpanKind.INTERNAL
    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes = b""
    trace_state: str = ""
    started_ns: int
    ended_ns: int
    attributes: Mapping[str, AttributeValue] = field(factory=dict)
    error: str = ""
