"""What Jaeger gets is what the shared meaning says, as OpenTelemetry's exporter would say it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from attrs import evolve
from opentelemetry.exporter.jaeger.thrift.gen.jaeger.ttypes import Batch, Process
from opentelemetry.exporter.jaeger.thrift.translate import ThriftTranslator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags
from thrift.protocol.TBinaryProtocol import TBinaryProtocol

from container_tracer.adapters.jaeger import encoding
from container_tracer.adapters.jaeger.encoding import encode_batch
from container_tracer.adapters.jaeger.thrift_values import MAX_TEXT, SCOPE_NAME
from container_tracer.adapters.jaeger.translation import BatchTranslation
from container_tracer.domain.model.pod import Container
from container_tracer.domain.model.quoting import unicode_text
from container_tracer.domain.model.single_span import AttributeValue
from container_tracer.domain.model.span_attributes import (
    Attributes,
    ServiceResource,
    root_attributes,
    root_name,
    span_attributes,
    span_error,
)
from container_tracer.domain.model.spans import SpanBatch
from container_tracer.domain.model.traces import SLICE_SPANS, SessionTrace, TracedBatch, cut
from container_tracer.fakes.jaeger_collector import CollectedSpan, read_batch
from container_tracer.fakes.spans import (
    NOON_NS,
    FakeSpan,
    awkward_batch,
    many_spans,
    span_batch,
)

SESSION = SessionTrace.of(
    "42", started_ns=NOON_NS, name="why\udcff", attributes={"node": "n1", "traceJob": "why"}
)
RESOURCE = ServiceResource(
    service_name="tracer", service_version="1.2", host_name="h", node="n1", tags={"team": "a"}
)


def collected(batch: SpanBatch, *, session: SessionTrace = SESSION) -> list[CollectedSpan]:
    return read_batch(encode_batch(translated(cut(batch, session), session=session)))


def translated(traced: TracedBatch, *, session: SessionTrace = SESSION) -> Any:
    translation = BatchTranslation(resource=RESOURCE, session=session)
    every = np.arange(len(traced.spans)), np.arange(len(traced.slices))
    return translation.spans(traced, *every)


def by_exporter(batch: SpanBatch, *, session: SessionTrace = SESSION) -> list[CollectedSpan]:
    """Let OpenTelemetry's exporter translate the same spans, made one by one."""
    traced = cut(batch, session)
    spans = [root(traced, number, session) for number in range(len(traced.slices))]
    spans += [child(traced, row) for row in range(len(batch))]
    translator = ThriftTranslator(MAX_TEXT)
    thrift = [translator._translate_span(span) for span in spans]
    # The test's own text is valid; library names are what scope names were called formerly.
    for span in thrift:
        span.tags = [tag for tag in span.tags if not tag.key.startswith("otel.library.")]
    return read_batch(encode_batch(Batch(process=Process(serviceName="tracer"), spans=thrift)))


def child(traced: TracedBatch, row: int) -> ReadableSpan:
    batch, number = traced.spans, int(traced.slice_of[row])
    error = span_error(batch, row)
    return readable(
        name=batch.kinds[batch.kind[row]].name,
        context=context(trace_id(traced, number), int(traced.span_id[row])),
        parent=context(trace_id(traced, number), int(traced.slices.root_id[number])),
        attributes=span_attributes(batch, row),
        container=batch.containers[batch.container[row]],
        status=Status(StatusCode.ERROR, error) if error else Status(),
        times=(int(batch.start_ns[row]), int(batch.end_ns[row])),
    )


def root(traced: TracedBatch, number: int, session: SessionTrace) -> ReadableSpan:
    batch, slices = traced.spans, traced.slices
    to = context(int.from_bytes(session.trace_id, "big"), int.from_bytes(session.span_id, "big"))
    return readable(
        name=root_name(batch, slices, number),
        context=context(trace_id(traced, number), int(slices.root_id[number])),
        attributes=root_attributes(batch, slices, number, session),
        container=batch.containers[slices.container[number]],
        links=[Link(to)],
        times=(int(slices.start_ns[number]), int(slices.end_ns[number])),
    )


def readable(
    *, attributes: Attributes, container: Container, name: str, times: tuple[int, int], **rest: Any
) -> ReadableSpan:
    return ReadableSpan(
        name=unicode_text(name),
        attributes=valid(attributes),
        resource=Resource(valid(RESOURCE.of(container))),
        instrumentation_scope=InstrumentationScope(SCOPE_NAME, "1.2"),
        start_time=times[0],
        end_time=times[1],
        **rest,
    )


def valid(attributes: Mapping[str, AttributeValue]) -> dict[str, Any]:
    return {
        unicode_text(key): unicode_text(value) if isinstance(value, str) else value
        for key, value in attributes.items()
    }


def context(trace: int, span: int) -> SpanContext:
    return SpanContext(trace, span, is_remote=False, trace_flags=TraceFlags(1))


def trace_id(traced: TracedBatch, number: int) -> int:
    high, low = traced.slices.trace_id[number]
    return int(high) << 64 | int(low)


POD = Container(
    name="app",
    pod="web-1",
    namespace="shop",
    container_id="abc",
    pod_uid="u-1",
    image="nginx:1",
    runtime="containerd",
)


@pytest.mark.parametrize(
    "batch",
    [
        awkward_batch(),
        many_spans(300),
        span_batch(FakeSpan(container=POD), FakeSpan(), FakeSpan(container=POD, result=-13)),
        span_batch(*(FakeSpan(start_ns=NOON_NS + 499 * i) for i in range(2 * SLICE_SPANS + 7))),
    ],
    ids=["awkward", "many", "containers", "slices"],
)
def test_spans_are_those_of_the_exporter_of_opentelemetry(batch: SpanBatch) -> None:
    assert collected(batch) == by_exporter(batch)


def test_every_span_hangs_below_a_root_that_follows_from_the_session() -> None:
    spans = collected(many_spans(3 * SLICE_SPANS))
    roots = {span.trace_id: span for span in spans if not span.parent_id}
    session = int.from_bytes(SESSION.trace_id, "big"), int.from_bytes(SESSION.span_id, "big")
    assert {one.follows for one in roots.values()} == {(session,)}
    children = [span for span in spans if span.parent_id]
    assert len(children) == 3 * SLICE_SPANS
    assert all(one.parent_id == roots[one.trace_id].span_id for one in children)


def test_a_failed_call_is_an_error_and_others_have_no_status() -> None:
    _, failed, fine = collected(span_batch(FakeSpan(result=-2), FakeSpan()))
    status = {"otel.status_code": "ERROR", "otel.status_description": "ENOENT", "error": True}
    assert status.items() <= failed.tags.items()
    assert not status.keys() & fine.tags.keys()


def test_a_container_is_described_on_each_of_its_spans() -> None:
    root, span = collected(span_batch(FakeSpan(container=POD)))
    assert RESOURCE.of(POD).items() <= span.tags.items()
    assert RESOURCE.of(POD).items() <= root.tags.items()


def test_a_session_has_a_span_of_its_own_about_the_tracer_itself() -> None:
    session = evolve(SESSION, parent_span_id=b"\xff" * 8)
    translation = BatchTranslation(resource=RESOURCE, session=session)
    (span,) = read_batch(encode_batch(translation.session_span(NOON_NS + 5_000_600)))
    assert span == CollectedSpan(
        service="tracer",
        trace_id=int.from_bytes(SESSION.trace_id, "big"),
        span_id=int.from_bytes(SESSION.span_id, "big"),
        parent_id=2**64 - 1,
        name=r"why\xff",
        start_us=NOON_NS // 1000,
        duration_us=5_001,
        flags=1,
        tags={
            "node": "n1",
            "traceJob": "why",
            "service.name": "tracer",
            "service.version": "1.2",
            "host.name": "h",
            "k8s.node.name": "n1",
            "team": "a",
            "span.kind": "internal",
            "otel.scope.name": SCOPE_NAME,
            "otel.scope.version": "1.2",
        },
    )


def test_a_session_without_a_parent_is_a_root() -> None:
    translation = BatchTranslation(resource=RESOURCE, session=SESSION)
    (span,) = read_batch(encode_batch(translation.session_span(NOON_NS)))
    assert (span.parent_id, span.duration_us) == (0, 0)


def test_long_text_is_cut_whether_it_is_a_name_or_a_value() -> None:
    long = evolve(SESSION, name="x" * 10_000, attributes={"traceJob": "\udcff" * 10_000})
    translation = BatchTranslation(resource=RESOURCE, session=long)
    (span,) = read_batch(encode_batch(translation.session_span(NOON_NS)))
    assert span.name == "x" * MAX_TEXT
    assert span.tags["traceJob"] == r"\xff" * MAX_TEXT


def test_no_spans_are_an_empty_batch() -> None:
    assert collected(span_batch()) == []


def test_bytes_are_the_same_without_the_library_in_c(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = translated(cut(awkward_batch(), SESSION))
    quick = encode_batch(batch)
    monkeypatch.setattr(encoding, "TBinaryProtocolAccelerated", TBinaryProtocol)
    assert encode_batch(batch) == quick
