"""Single spans as receivers of OTLP decode them, by the official generated code."""

from collections.abc import Iterator, Sequence
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from container_tracer.domain.model.single_span import SingleSpanKind

from .said import Exact, Said, exact


def read_otlp(request: ExportTraceServiceRequest) -> Iterator[Said]:
    for one in request.resource_spans:
        for scope in one.scope_spans:
            for span in scope.spans:
                assert span.flags == 1
                yield {
                    **_otlp_span(span),
                    "resource": otlp_pairs(one.resource.attributes),
                    "scope": scope.scope.name,
                }


def _otlp_span(span: Span) -> Said:
    kinds = {number: kind.value for number, kind in enumerate(_OTLP_KINDS, 1)}
    codes = dict(enumerate(("unset", "ok", "error")))
    return {
        "name": span.name,
        "kind": kinds[span.kind],
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_span_id": span.parent_span_id,
        "trace_state": span.trace_state,
        "times": (span.start_time_unix_nano, span.end_time_unix_nano),
        "attributes": otlp_pairs(span.attributes),
        "events": [
            (one.time_unix_nano, one.name, otlp_pairs(one.attributes), one.dropped_attributes_count)
            for one in span.events
        ],
        "links": [
            (
                one.trace_id,
                one.span_id,
                bool(one.flags & 1),
                one.trace_state,
                otlp_pairs(one.attributes),
                one.dropped_attributes_count,
            )
            for one in span.links
        ],
        "status": (codes[span.status.code], span.status.message),
        "dropped": (
            span.dropped_attributes_count,
            span.dropped_events_count,
            span.dropped_links_count,
        ),
    }


_OTLP_KINDS = (
    SingleSpanKind.INTERNAL,
    SingleSpanKind.SERVER,
    SingleSpanKind.CLIENT,
    SingleSpanKind.PRODUCER,
    SingleSpanKind.CONSUMER,
)


def otlp_pairs(attributes: Sequence[Any]) -> list[tuple[str, Exact]]:
    return [(one.key, exact(_any_value(one.value))) for one in attributes]


def _any_value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(_any_value(one) for one in value.array_value.values)
    assert kind in ("string_value", "bool_value", "int_value", "double_value")
    return getattr(value, kind)
