"""Single spans as Jaeger's Thrift structures.

Fields that Jaeger has no place for go where OpenTelemetry's specification puts them
(specification/trace/sdk_exporters/jaeger.md, specification/common/mapping-to-non-otlp.md). It has
none for the state of a trace; the tag is that of OpenTelemetry's collector.
"""

from collections.abc import Iterable

from opentelemetry.exporter.jaeger.thrift.gen.jaeger.ttypes import Batch, Log, Process, Span

from ...domain.model.single_span import (
    AttributeValue,
    SingleSpan,
    SpanEvent,
    SpanLink,
    SpanOrigin,
    SpanStatus,
)
from ...domain.model.single_span_size import attributes_cut_to
from ...domain.model.span_attributes import ServiceResource
from .thrift_values import (
    NO_PARENT,
    SAMPLED,
    SCOPE_NAME,
    ThriftBatch,
    ThriftLog,
    ThriftSpan,
    ThriftTag,
    follows_from,
    microseconds,
    signed,
    tag,
    tags,
    text,
    trace_id_fields,
)

MAX_PROCESS_BYTES = 16_000
"""What an agent takes at once has a limit of 65,000 bytes, and a process is in each of these."""

_SERVICE_NAME = "service.name"
_UNKNOWN_SERVICE = "unknown_service"
_TRACE_STATE = "w3c.tracestate"
_LINK = "link"


def own_batch(resource: ServiceResource, spans: Iterable[SingleSpan]) -> ThriftBatch:
    """Translate spans of the tracer itself; its resource is described on each of them."""
    described = tags(resource.attributes)
    version = resource.service_version
    scope = {"otel.scope.name": SCOPE_NAME, "otel.scope.version": version}
    return Batch(
        process=Process(serviceName=text(resource.service_name)),
        spans=[_span(one, [*described, _kind(one), *tags(scope)]) for one in spans],
    )


def batch_of_origin(origin: SpanOrigin, spans: Iterable[SingleSpan]) -> ThriftBatch:
    """Translate spans of somebody else, who is the process of the batch."""
    scope = {"otel.scope.name": origin.scope} if origin.scope else {}
    service = str(origin.attributes.get(_SERVICE_NAME, "")) or _UNKNOWN_SERVICE
    others = {name: one for name, one in origin.attributes.items() if name != _SERVICE_NAME}
    described, dropped = attributes_cut_to(others, MAX_PROCESS_BYTES)
    return Batch(
        process=Process(
            serviceName=text(service), tags=[*tags(described), *tags(_left_out("", dropped))]
        ),
        spans=[_span(one, [_kind(one), *tags(scope)]) for one in spans],
    )


def _span(span: SingleSpan, described: list[ThriftTag]) -> ThriftSpan:
    return Span(
        **trace_id_fields(span.trace_id),
        spanId=signed(span.span_id),
        parentSpanId=signed(span.parent_span_id) if span.parent_span_id else NO_PARENT,
        operationName=text(span.name),
        references=[_reference(one) for one in span.links] or None,
        flags=SAMPLED,
        startTime=microseconds(span.started_ns),
        duration=microseconds(span.ended_ns - span.started_ns),
        tags=[*tags(span.attributes), *described, *tags(_rest(span))],
        logs=[*_link_logs(span), *(_event_log(one) for one in span.events)] or None,
    )


def _kind(span: SingleSpan) -> ThriftTag:
    return tag("span.kind", span.kind.value)


def _rest(span: SingleSpan) -> dict[str, AttributeValue]:
    """Say how a span ended, and what else Jaeger has no field for."""
    failed = span.status is SpanStatus.ERROR
    return {
        **({} if span.status is SpanStatus.UNSET else {"otel.status_code": span.status.name}),
        **({"otel.status_description": span.status_message} if span.status_message else {}),
        **({"error": True} if failed else {}),
        **({_TRACE_STATE: span.trace_state} if span.trace_state else {}),
        **_left_out("", span.dropped_attributes),
        **({"otel.dropped_events_count": span.dropped_events} if span.dropped_events else {}),
        **({"otel.dropped_links_count": span.dropped_links} if span.dropped_links else {}),
    }


def _left_out(of: str, attributes: int) -> dict[str, AttributeValue]:
    """Count attributes that were left out, if any were; `of` is what they were of, with a dot."""
    return {f"otel.{of}dropped_attributes_count": attributes} if attributes else {}


def _event_log(event: SpanEvent) -> ThriftLog:
    """Translate an event; an attribute that is called as its name should be has precedence."""
    named = {"event": event.name, **event.attributes}
    return Log(
        timestamp=microseconds(event.time_ns),
        fields=tags(named | _left_out("event.", event.dropped_attributes)),
    )


def _reference(link: SpanLink) -> ThriftSpan:
    return follows_from(link.context.trace_id, link.context.span_id)


def _link_logs(span: SingleSpan) -> list[ThriftLog]:
    """Translate those links of which a reference does not say all."""
    return [
        Log(timestamp=microseconds(span.started_ns), fields=tags(_link_fields(one)))
        for one in span.links
        if one.attributes or one.dropped_attributes or one.context.trace_state
    ]


def _link_fields(link: SpanLink) -> dict[str, AttributeValue]:
    context = link.context
    return {
        **link.attributes,
        "event": _LINK,
        "trace_id": context.trace_id.hex(),
        "span_id": context.span_id.hex(),
        **({_TRACE_STATE: context.trace_state} if context.trace_state else {}),
        **_left_out("link.", link.dropped_attributes),
    }
