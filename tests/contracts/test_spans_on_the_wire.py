"""A span is the same wherever it goes: OTLP and Jaeger say it alike, each in its own form."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from attrs import frozen
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from container_tracer.adapters.jaeger.encoding import encode_batch
from container_tracer.adapters.jaeger.translation import BatchTranslation
from container_tracer.adapters.otlp.encoding import SpanEncoder
from container_tracer.adapters.otlp.encoding_single_spans import single_span_requests
from container_tracer.domain.model.pod import Container
from container_tracer.domain.model.span_attributes import ServiceResource
from container_tracer.domain.model.spans import SpanBatch
from container_tracer.domain.model.trace_context import SpanContext
from container_tracer.domain.model.traces import SLICE_SPANS, SessionTrace, cut
from container_tracer.fakes.jaeger_collector import CollectedSpan, read_batch
from container_tracer.fakes.spans import (
    NOON_NS,
    FakeSpan,
    awkward_batch,
    many_spans,
    span_batch,
)

SESSION = SessionTrace.of(
    "42", started_ns=NOON_NS, name="why", attributes={"node": "n1", "traceJob": "why"}
)
RESOURCE = ServiceResource(
    service_name="tracer", service_version="1.2", host_name="h", node="n1", tags={"team": "a"}
)
POD = Container(name="app", pod="web-1", namespace="shop", container_id="abc", pod_uid="u-1")


@frozen(order=True)
class WireSpan:
    """What both say; times in microseconds, attributes of the span and its resource as one."""

    span_id: int
    trace_id: int
    parent_id: int
    name: str
    start_us: int
    duration_us: int
    error: str
    follows: tuple[tuple[int, int], ...]
    attributes: frozenset[tuple[str, Any]]


def from_otlp(requests: Iterable[bytes]) -> list[WireSpan]:
    return sorted(
        read_span(span, [*one.resource.attributes, *span.attributes])
        for request in requests
        for one in ExportTraceServiceRequest.FromString(request).resource_spans
        for scope in one.scope_spans
        for span in scope.spans
    )


def read_span(span: Span, attributes: Iterable[KeyValue]) -> WireSpan:
    start, end = span.start_time_unix_nano, span.end_time_unix_nano
    return WireSpan(
        span_id=number(span.span_id),
        trace_id=number(span.trace_id),
        parent_id=number(span.parent_span_id),
        name=span.name,
        start_us=(start + 500) // 1_000,
        duration_us=(end - start + 500) // 1_000,
        error=span.status.message if span.status.code == Status.STATUS_CODE_ERROR else "",
        follows=tuple((number(link.trace_id), number(link.span_id)) for link in span.links),
        attributes=frozenset(
            (one.key, getattr(one.value, one.value.WhichOneof("value") or "string_value"))
            for one in attributes
        ),
    )


def number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def from_jaeger(spans: Iterable[CollectedSpan]) -> list[WireSpan]:
    own = {"span.kind", "otel.scope.name", "otel.scope.version", "error"}
    status = {"otel.status_code", "otel.status_description"}
    return sorted(
        WireSpan(
            span_id=span.span_id,
            trace_id=span.trace_id,
            parent_id=span.parent_id,
            name=span.name,
            start_us=span.start_us,
            duration_us=span.duration_us,
            error=str(span.tags.get("otel.status_description", "")),
            follows=span.follows,
            attributes=frozenset(
                (key, value) for key, value in span.tags.items() if key not in own | status
            ),
        )
        for span in spans
    )


@pytest.mark.parametrize(
    "batch",
    [
        awkward_batch(),
        many_spans(500),
        span_batch(FakeSpan(container=POD), FakeSpan(), FakeSpan(container=POD, result=-13)),
        span_batch(*(FakeSpan(start_ns=NOON_NS + 499 * i) for i in range(SLICE_SPANS + 7))),
    ],
    ids=["awkward", "many", "containers", "slices"],
)
def test_calls_and_roots_are_the_same(batch: SpanBatch) -> None:
    traced = cut(batch, SESSION)
    translation = BatchTranslation(resource=RESOURCE, session=SESSION)
    thrift = translation.spans(traced, np.arange(len(batch)), np.arange(len(traced.slices)))
    jaeger = from_jaeger(read_batch(encode_batch(thrift)))
    assert len(jaeger) == len(batch) + len(traced.slices)
    otlp = SpanEncoder(RESOURCE).spans(traced, SESSION)
    assert from_otlp(request.data for request in otlp) == jaeger


CALLER = SpanContext(trace_id=b"\x81" * 16, span_id=b"\x82" * 8)
CALLED = SessionTrace.of("42", started_ns=NOON_NS, name="why", attributes={}, caller=CALLER)


@pytest.mark.parametrize("session", [SESSION, CALLED], ids=["a root", "below a caller"])
def test_the_session_is_the_same(session: SessionTrace) -> None:
    ended_ns = NOON_NS + 5_000_600
    thrift = BatchTranslation(resource=RESOURCE, session=session).session_span(ended_ns)
    (otlp,) = single_span_requests(RESOURCE, [session.span(ended_ns)])
    assert from_otlp([otlp.data]) == from_jaeger(read_batch(encode_batch(thrift)))
