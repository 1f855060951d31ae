"""Spans of what a tracer itself did, as lines of JSON."""

import json

import numpy as np

from .quoting import unicode_text
from .single_span import AttributeValue, SingleSpan, SpanStatus
from .span_text import utc_times


def single_span_line(span: SingleSpan) -> str:
    """Write a span as a JSON object in ASCII, without a line end.

    Keys: `time` (RFC 3339, UTC, nanoseconds), `start_ns`, `duration_ns`, `name`, `kind`,
    `trace_id`, `span_id`, `parent_span_id` (if it has one), `attributes`, `error` (if it failed).
    """
    (time,) = utc_times(np.array([span.started_ns]))
    parent = {"parent_span_id": span.parent_span_id.hex()} if span.parent_span_id else {}
    error = {"error": _text(span.status_message)} if span.status is SpanStatus.ERROR else {}
    line = {
        "time": time,
        "start_ns": span.started_ns,
        "duration_ns": span.ended_ns - span.started_ns,
        "name": _text(span.name),
        "kind": span.kind.value,
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        **parent,
        "attributes": {name: _text(value) for name, value in span.attributes.items()},
        **error,
    }
    return json.dumps(line, separators=(",", ":"))


def _text(value: AttributeValue) -> AttributeValue:
    return unicode_text(value) if isinstance(value, str) else value
