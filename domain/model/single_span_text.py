"""Single spans as lines of JSON."""

import json
from collections.abc import Mapping

import numpy as np

from .json_values import JsonValue, json_attributes
from .quoting import unicode_text
from .single_span import AttributeMap, SingleSpan, SpanEvent, SpanLink, SpanOrigin, SpanStatus
from .span_text import utc_times
from .tags import NO_TAGS, Tags


def single_span_line(span: SingleSpan, tags: Tags = NO_TAGS) -> str:
    """Write a span as a JSON object in ASCII, without a line end.

    Keys: `time` (RFC 3339, UTC, nanoseconds), `start_ns`, `duration_ns`, `name`, `kind`,
    `trace_id`, `span_id`, `attributes`. Those it need not have: `parent_span_id`, `trace_state`,
    `error` (what went wrong, if it failed), `status` (`ok`, or absent), `status_message` (of one
    that did not fail), `events`, `links`, `tags` (of the tracer's own), `resource` and `scope`
    (whose it is, if it is not), `dropped_attributes`, `dropped_events`, `dropped_links`.
    """
    (time,) = utc_times(np.array([span.started_ns]))
    line: dict[str, object] = {
        "time": time,
        "start_ns": span.started_ns,
        "duration_ns": span.ended_ns - span.started_ns,
        "name": unicode_text(span.name),
        "kind": span.kind.value,
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        **_given(
            parent_span_id=span.parent_span_id.hex(), trace_state=unicode_text(span.trace_state)
        ),
        "attributes": _attributes(span.attributes),
        **_ended(span),
        **_given(events=[_event(one) for one in span.events]),
        **_given(links=[_link(one) for one in span.links]),
        **(_origin(span.origin) if span.origin else _given(tags=dict(tags))),
        **_given(
            dropped_attributes=span.dropped_attributes,
            dropped_events=span.dropped_events,
            dropped_links=span.dropped_links,
        ),
    }
    return json.dumps(line, separators=(",", ":"), allow_nan=False)


def _given(**members: object) -> dict[str, object]:
    """Leave out what is empty, or 0."""
    return {name: one for name, one in members.items() if one}


def _attributes(attributes: AttributeMap) -> Mapping[str, JsonValue]:
    return json_attributes(attributes, unicode_text)


def _ended(span: SingleSpan) -> dict[str, object]:
    message = unicode_text(span.status_message)
    if span.status is SpanStatus.ERROR:
        return {"error": message}
    status = "" if span.status is SpanStatus.UNSET else span.status.value
    return _given(status=status, status_message=message)


def _event(event: SpanEvent) -> dict[str, object]:
    return {
        "time_ns": event.time_ns,
        "name": unicode_text(event.name),
        **_given(
            attributes=_attributes(event.attributes), dropped_attributes=event.dropped_attributes
        ),
    }


def _link(link: SpanLink) -> dict[str, object]:
    context = link.context
    return {
        "trace_id": context.trace_id.hex(),
        "span_id": context.span_id.hex(),
        "sampled": context.sampled,
        **_given(
            trace_state=unicode_text(context.trace_state),
            attributes=_attributes(link.attributes),
            dropped_attributes=link.dropped_attributes,
        ),
    }


def _origin(origin: SpanOrigin) -> dict[str, object]:
    return {"resource": _attributes(origin.attributes), **_given(scope=unicode_text(origin.scope))}
