"""Whatever a single span says, receivers decode all of it, or what their format can hold."""

from collections.abc import Iterable, Sequence

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from container_tracer.adapters.jaeger.encoding import encode_batch
from container_tracer.adapters.jaeger.single_span_translation import batch_of_origin, own_batch
from container_tracer.adapters.otlp.encoding_single_spans import single_span_requests
from container_tracer.domain.model.single_span import (
    AttributeMap,
    SingleSpan,
    SpanOrigin,
    by_origin,
)
from container_tracer.domain.model.single_span_text import single_span_line
from tests.single_spans.examples import ANY_SPANS, FULL, GUEST, ROOT, one_of_each
from tests.single_spans.jaeger import read_jaeger, said_to_jaeger
from tests.single_spans.json_lines import read_line, said_in_json
from tests.single_spans.otlp import read_otlp
from tests.single_spans.said import RESOURCE, Said, said

ONE_OF_EACH = one_of_each()


def over_otlp(spans: Iterable[SingleSpan]) -> list[Said]:
    return [
        one
        for request in single_span_requests(RESOURCE, spans)
        for one in read_otlp(ExportTraceServiceRequest.FromString(request.data))
    ]


def to_jaeger(spans: Sequence[SingleSpan]) -> list[Said]:
    origin = spans[0].origin
    batch = batch_of_origin(origin, spans) if origin else own_batch(RESOURCE, spans)
    return list(read_jaeger(encode_batch(batch)))


@settings(max_examples=60, deadline=None)
@given(spans=st.lists(ANY_SPANS, min_size=1, max_size=4))
def test_whatever_a_span_says_is_decoded(spans: list[SingleSpan]) -> None:
    for of_origin in by_origin(spans):
        assert over_otlp(of_origin) == [said(one) for one in of_origin]
        assert to_jaeger(of_origin) == [said_to_jaeger(one) for one in of_origin]
    for span in spans:
        assert read_line(single_span_line(span)) == said_in_json(span)


def test_each_origin_is_one_resource_whatever_the_order_of_its_spans() -> None:
    (request,) = single_span_requests(RESOURCE, ONE_OF_EACH)
    decoded = ExportTraceServiceRequest.FromString(request.data)
    assert len(decoded.resource_spans) == 3
    assert sorted(map(span_id, read_otlp(decoded))) == sorted(one.span_id for one in ONE_OF_EACH)


def span_id(one: Said) -> bytes:
    found: bytes = one["span_id"]
    return found


@pytest.mark.parametrize("limit", [1_500, 20_000])
def test_requests_of_otlp_are_filled_but_never_too_large(limit: int) -> None:
    spans = [evolve(one, attributes={"a.x": "x" * 100}) for one in ONE_OF_EACH * 5]
    requests = single_span_requests(RESOURCE, spans, max_request_bytes=limit)
    decoded = [
        (span, one)
        for request in requests
        for span, one in zip(
            request.spans,
            read_otlp(ExportTraceServiceRequest.FromString(request.data)),
            strict=True,
        )
    ]
    assert all(span.span_id == one["span_id"] for span, one in decoded)
    assert len(decoded) == len(spans)
    assert all(len(one.data) <= limit for one in requests)
    sizes = sum(len(one.data) for one in requests)
    assert len(requests) < 1.5 * sizes / limit + 1


def test_a_span_too_large_for_any_request_is_cut_until_it_fits() -> None:
    huge = evolve(
        FULL,
        attributes={f"a.{number}": "ä" * 1_000_000 for number in range(3)},
        origin=SpanOrigin(
            attributes={"service.name": "x", "text": "x" * 5_000_000}, scope="s" * 5_000_000
        ),
    )
    (request,) = single_span_requests(RESOURCE, [ROOT, huge, ROOT])
    cut = next(one for one in over_otlp([huge]))
    assert len(request.data) < 4_000_000
    assert cut["attributes"] == [(f"a.{number}", ("str", "ä" * 4_095 + "…")) for number in range(3)]
    assert [name for name, _ in cut["resource"]] == ["service.name", "text"]
    assert cut["scope"] == "s" * 4_096
    for of_origin in to_jaeger([huge]):
        assert of_origin["attributes"] == [
            (f"a.{number}", ("str", "ä" * 4_096)) for number in range(3)
        ]


def test_resources_without_a_name_for_their_service_have_the_one_that_stands_for_that() -> None:
    origin = SpanOrigin(attributes={"k8s.pod.name": "shop"})
    ((_, service),) = [
        pair
        for one in to_jaeger([evolve(ROOT, origin=origin)])
        for pair in one["resource"]
        if pair[0] == "service.name"
    ]
    assert service == ("str", "unknown_service")


@pytest.mark.parametrize(
    "attributes", [{"service.name": "x"} | {str(n): "y" * 9_000 for n in range(100)}]
)
def test_a_resource_that_is_large_leaves_room_for_spans_in_a_datagram(
    attributes: AttributeMap,
) -> None:
    batch = batch_of_origin(SpanOrigin(attributes=attributes), [evolve(ROOT, origin=GUEST)])
    assert len(encode_batch(batch)) < 20_000
