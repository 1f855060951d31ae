"""What a single span says, to be compared exactly with what receivers decode.

It is a dictionary of plain values; `True`, `1` and `1.0` are different ones, and `NaN` is itself.
"""

import math
from typing import Any, TypeAlias

from container_tracer.domain.model.quoting import unicode_text
from container_tracer.domain.model.single_span import (
    AttributeMap,
    AttributeValue,
    SingleSpan,
    SpanLink,
    SpanOrigin,
)
from container_tracer.domain.model.span_attributes import ServiceResource

Said: TypeAlias = dict[str, Any]
Exact: TypeAlias = tuple[Any, ...]

RESOURCE = ServiceResource(
    service_name="svc", service_version="1", host_name="h", tags={"team": "a"}
)
OWN = SpanOrigin(attributes=RESOURCE.attributes, scope="container-tracer")


def exact(value: AttributeValue) -> Exact:
    """Tell values apart that Python takes for equal."""
    if isinstance(value, tuple):
        return ("tuple", *map(exact, value))
    shown = unicode_text(value) if isinstance(value, str) else repr(value)
    return type(value).__name__, shown


def pairs(attributes: AttributeMap) -> list[tuple[str, Exact]]:
    return [(unicode_text(name), exact(value)) for name, value in attributes.items()]


def said(span: SingleSpan) -> Said:
    """Return what a span says, and its resource."""
    origin = span.origin or OWN
    return {
        "name": unicode_text(span.name),
        "kind": span.kind.value,
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_span_id": span.parent_span_id,
        "trace_state": unicode_text(span.trace_state),
        "times": (span.started_ns, span.ended_ns),
        "attributes": pairs(span.attributes),
        "events": [
            (one.time_ns, unicode_text(one.name), pairs(one.attributes), one.dropped_attributes)
            for one in span.events
        ],
        "links": [_link(one) for one in span.links],
        "status": (span.status.value, unicode_text(span.status_message)),
        "resource": pairs(origin.attributes),
        "scope": unicode_text(origin.scope),
        "dropped": (span.dropped_attributes, span.dropped_events, span.dropped_links),
    }


def _link(link: SpanLink) -> tuple[Any, ...]:
    context = link.context
    return (
        context.trace_id,
        context.span_id,
        context.sampled,
        unicode_text(context.trace_state),
        pairs(link.attributes),
        link.dropped_attributes,
    )


def plain(value: Any) -> Any:
    """Return what JSON can hold of a value."""
    match value:
        case tuple():
            return [plain(one) for one in value]
        case float() if not math.isfinite(value):
            return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
        case str():
            return unicode_text(value)
    return value
