"""What is encoded in columns, read by the official library, is what the model says row by row."""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from container_tracer.adapters.otlp import encoding_roots, encoding_vocabulary
from container_tracer.adapters.otlp.encoding import SpanEncoder
from container_tracer.adapters.otlp.encoding_single_spans import single_span_requests
from container_tracer.domain.model.event_format import EventFormat
from container_tracer.domain.model.quoting import unicode_text
from container_tracer.domain.model.single_span import AttributeValue
from container_tracer.domain.model.span_attributes import (
    ServiceResource,
    root_attributes,
    root_name,
    span_attributes,
    span_error,
)
from container_tracer.domain.model.spans import SpanArgument, SpanBatch, SpanKind, SpanOutcome
from container_tracer.domain.model.syscalls import SyscallTable
from container_tracer.domain.model.traces import SLICE_SPANS, SessionTrace, TracedBatch, cut
from container_tracer.fakes.spans import (
    AWKWARD_SPANS,
    GETPID,
    LONE,
    NOON_NS,
    READ,
    WEB,
    FakeSpan,
    awkward_batch,
    many_spans,
    span_batch,
)

RESOURCE = ServiceResource(
    service_version="1.2", host_name="host", node="n1", tags={"bad": "\udcff", "team": "core"}
)
SESSION = SessionTrace.of(
    "42", started_ns=NOON_NS, name="why \udc80", attributes={"node": "n1", "traceJob": "\udcff"}
)
MMAP = SpanKind("mmap", (SpanArgument("addr", "unsigned long", hex),), result_text=hex)
ODD = SpanKind(
    "odd",
    (SpanArgument("x" * 200, "int", lambda bits: "y" * (bits % 999)),),
    result_text=lambda result: f"<{result}>" if result % 2 else str(result),
)
EXTREMES = [0, 1, 127, 128, 2**31 - 1, 2**31, 2**32 - 100, 2**32 - 1, 2**47, 2**63 - 1, 2**63]
EXTREMES += [2**64 - 4096, 2**64 - 4095, 2**64 - 100, 2**64 - 1]

Said = dict[str, object]
Spans = dict[bytes, Said]


def encoded(batch: SpanBatch, encoder: SpanEncoder | None = None) -> Sequence[bytes]:
    requests = (encoder or SpanEncoder(RESOURCE)).spans(cut(batch, SESSION), SESSION)
    assert sum(one.spans for one in requests) == len(batch)
    return [one.data for one in requests]


def parsed(data: bytes) -> ExportTraceServiceRequest:
    """Read a request, and see that there is nothing in it that would not be written again."""
    request = ExportTraceServiceRequest()
    request.ParseFromString(data)
    assert len(request.SerializeToString()) == len(data), "unknown, double or padded fields"
    return request


def said(attributes: Sequence[KeyValue]) -> list[tuple[str, AttributeValue]]:
    for one in attributes:
        assert one.value.WhichOneof("value") in ("int_value", "string_value")
    return [(one.key, getattr(one.value, str(one.value.WhichOneof("value")))) for one in attributes]


def read(span: Span) -> Said:
    """Everything a span says."""
    assert span.kind == Span.SPAN_KIND_INTERNAL
    return {
        "trace": span.trace_id,
        "parent": span.parent_span_id,
        "name": span.name,
        "start": span.start_time_unix_nano,
        "end": span.end_time_unix_nano,
        "attributes": said(span.attributes),
        "links": [(one.trace_id, one.span_id) for one in span.links],
        "status": (span.status.code, span.status.message),
        "others": (span.trace_state, span.flags, len(span.events), span.dropped_attributes_count),
    }


def found(requests: Sequence[bytes]) -> list[tuple[list[tuple[str, AttributeValue]], Spans]]:
    """Resources, each with its spans by id."""
    blocks = []
    for one in (block for data in requests for block in parsed(data).resource_spans):
        (scope,) = one.scope_spans
        assert (scope.scope.name, scope.scope.version) == ("container-tracer", "1.2")
        spans = {span.span_id: read(span) for span in scope.spans}
        assert len(spans) == len(scope.spans)
        blocks.append((said(one.resource.attributes), spans))
    return blocks


def valid(described: Mapping[str, AttributeValue]) -> list[tuple[str, AttributeValue]]:
    return [
        (name, unicode_text(value) if isinstance(value, str) else value)
        for name, value in described.items()
    ]


def expected(traced: TracedBatch) -> list[tuple[list[tuple[str, AttributeValue]], Spans]]:
    """The same, worked out span by span from what the model says."""
    batch, slices = traced.spans, traced.slices
    blocks: list[tuple[list[tuple[str, AttributeValue]], Spans]] = []
    nothing = ("", 0, 0, 0)
    for number, container in enumerate(slices.container.tolist()):
        if not number or container != slices.container[number - 1]:
            blocks.append((valid(RESOURCE.of(batch.containers[container])), {}))
        trace = b"".join(int(half).to_bytes(8, "big") for half in slices.trace_id[number])
        root = int(slices.root_id[number]).to_bytes(8, "big")
        blocks[-1][1][root] = {
            "trace": trace,
            "parent": b"",
            "name": unicode_text(root_name(batch, slices, number)),
            "start": int(slices.start_ns[number]),
            "end": int(slices.end_ns[number]),
            "attributes": valid(root_attributes(batch, slices, number, SESSION)),
            "links": [(SESSION.trace_id, SESSION.span_id)],
            "status": (0, ""),
            "others": nothing,
        }
        first = int(slices.first[number])
        for row in range(first, first + int(slices.count[number])):
            error = span_error(batch, row)
            blocks[-1][1][int(traced.span_id[row]).to_bytes(8, "big")] = {
                "trace": trace,
                "parent": root,
                "name": unicode_text(batch.kinds[batch.kind[row]].name),
                "start": int(batch.start_ns[row]),
                "end": int(batch.end_ns[row]),
                "attributes": valid(span_attributes(batch, row)),
                "links": [],
                "status": (2, error) if error else (0, ""),
                "others": nothing,
            }
    return blocks


def check(batch: SpanBatch, encoder: SpanEncoder | None = None) -> None:
    """Compare every field of every span, root and resource."""
    assert found(encoded(batch, encoder)) == expected(cut(batch, SESSION))


def test_everything_that_is_easily_got_wrong_is_right() -> None:
    check(awkward_batch())


def test_spans_of_many_tasks_and_containers_are_right() -> None:
    check(many_spans(1_000))


def test_no_spans_make_no_request() -> None:
    assert encoded(span_batch()) == []


def test_a_long_run_of_a_task_is_several_slices_with_a_root_each() -> None:
    batch = span_batch(*(FakeSpan(start_ns=NOON_NS + 2_000 * i) for i in range(SLICE_SPANS + 5)))
    check(batch)
    ((_, spans),) = found(encoded(batch))
    assert sum(not span["parent"] for span in spans.values()) == 2


@pytest.mark.parametrize("outcome", SpanOutcome)
@pytest.mark.parametrize("kind", [READ, GETPID, MMAP, ODD], ids=lambda kind: kind.name)
def test_every_outcome_with_every_end_and_result_is_right(
    outcome: SpanOutcome, kind: SpanKind
) -> None:
    results = [None, *(np.array(EXTREMES, np.uint64).view(np.int64).tolist()), -2, -11, -600]
    arguments = [None, (7,) * len(kind.arguments)]
    spans = product(arguments, results)
    check(
        span_batch(
            *(
                FakeSpan(kind=kind, arguments=some, result=result, outcome=outcome)
                for some, result in spans
            )
        )
    )


def test_a_batch_in_which_nothing_was_entered_or_returned_is_right() -> None:
    check(span_batch(FakeSpan(arguments=None, result=None, outcome=SpanOutcome.LOST)))


def test_every_call_of_a_recorded_kernel_is_right_whatever_its_arguments(
    recorded_formats: dict[str, EventFormat],
) -> None:
    calls = {name: one for name, one in recorded_formats.items() if name.startswith("syscalls:")}
    kinds = SyscallTable.of(calls).kinds
    assert len(kinds) > 300
    one = span_batch(FakeSpan(kind=GETPID, arguments=()))
    rows = len(kinds) * len(EXTREMES)
    bits = np.array(EXTREMES, np.uint64)[np.arange(rows) % len(EXTREMES)]
    batch = evolve(
        one.take(np.zeros(rows, np.int64)),
        kind=np.repeat(np.arange(len(kinds), dtype=np.int32), len(EXTREMES)),
        arguments=np.stack([np.roll(bits, place) for place in range(6)], axis=1),
        result=np.roll(bits, 7).view(np.int64),
        start_ns=NOON_NS + np.arange(rows),
        end_ns=NOON_NS + np.arange(rows) + 5,
        kinds=kinds,
    )
    check(batch)


def test_an_encoder_forgets_what_it_knew_of_other_kinds() -> None:
    encoder = SpanEncoder(RESOURCE)
    check(span_batch(FakeSpan()), encoder)
    check(span_batch(FakeSpan(kind=MMAP, arguments=(0,))), encoder)
    check(many_spans(100), encoder)


def test_an_encoder_learns_from_batch_to_batch() -> None:
    encoder, batch = SpanEncoder(RESOURCE), awkward_batch()
    for rows in ([0], [0, 1, 2, 9], [3], list(range(len(batch))), [1]):
        check(batch.take(np.array(rows)), encoder)


def test_more_texts_than_are_kept_are_right_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding_vocabulary, "TEXTS_KEPT", 5)
    encoder = SpanEncoder(RESOURCE)
    for base in range(0, 60, 20):
        spans = [FakeSpan(kind=ODD, arguments=(base + i,)) for i in range(20)]
        check(evolve(span_batch(*spans), kinds=KINDS), encoder)
        assert len(encoder._vocabulary._texts) <= 5 + 2 * 20


KINDS = [ODD]


def test_more_tasks_than_are_kept_are_right_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding_roots, "TASKS_KEPT", 5)
    encoder = SpanEncoder(RESOURCE)
    for base in range(0, 60, 20):
        check(span_batch(*(FakeSpan(pid=base, tid=base + i) for i in range(20))), encoder)
        assert len(encoder._tasks._known) <= 5 + 20


def test_more_containers_than_are_kept_are_right_all_the_same() -> None:
    containers = [evolve(WEB, container_id=str(number)) for number in range(1_100)]
    check(span_batch(*(FakeSpan(container=one) for one in containers)))


def has_parent(span: Said) -> bool:
    return bool(span["parent"])


def test_a_request_is_no_larger_than_asked_and_slices_stay_whole() -> None:
    traced = cut(many_spans(3_000), SESSION)
    encoder = SpanEncoder(RESOURCE, max_request_bytes=150_000)
    requests = encoder.spans(traced, SESSION)
    assert len(requests) == len(traced.slices) == 3
    blocks = [block for one in requests for block in found([one.data])]
    in_blocks = [sum(map(has_parent, spans.values())) for _, spans in blocks]
    assert [one.spans for one in requests] == in_blocks
    for _, spans in blocks:
        roots = {span["trace"] for span in spans.values() if not span["parent"]}
        assert roots == {span["trace"] for span in spans.values()}
    merged = {key: span for _, spans in blocks for key, span in spans.items()}
    assert merged == {key: span for _, spans in expected(traced) for key, span in spans.items()}
    assert len(encoder.spans(cut(many_spans(30), SESSION), SESSION)) == 1


@pytest.mark.parametrize("containers", [1, 2, 300])
def test_requests_are_filled_as_far_as_they_may_be(containers: int) -> None:
    places = [evolve(WEB, container_id=str(number)) for number in range(containers)]
    spans = [FakeSpan(tid=tid, container=places[tid % containers]) for tid in range(600)]
    traced = cut(span_batch(*spans), SESSION)
    made = SpanEncoder(RESOURCE, max_request_bytes=20_000).spans(traced, SESSION)
    requests = [one.data for one in made]
    assert sum(one.spans for one in made) == 600
    assert len(requests) > 10
    assert all(18_000 < len(one) <= 20_000 for one in requests[:-1])
    merged = {key: span for _, spans in found(requests) for key, span in spans.items()}
    assert merged == {key: span for _, spans in expected(traced) for key, span in spans.items()}


def test_the_session_has_a_span_with_the_tracers_own_resource() -> None:
    session = evolve(SESSION, parent_span_id=b"12345678")
    for one in (SESSION, session):
        (request,) = single_span_requests(RESOURCE, [one.span(NOON_NS + 9)])
        ((resource, spans),) = found([request.data])
        assert resource == valid(RESOURCE.attributes)
        assert spans == {
            one.span_id: {
                "trace": one.trace_id,
                "parent": one.parent_span_id,
                "name": "why \\x80",
                "start": NOON_NS,
                "end": NOON_NS + 9,
                "attributes": [("node", "n1"), ("traceJob", "\\xff")],
                "links": [],
                "status": (0, ""),
                "others": ("", 1, 0, 0),
            }
        }


def spans_of_kind(kind: SpanKind) -> st.SearchStrategy[FakeSpan]:
    bits = st.integers(0, 2**64 - 1) | st.sampled_from(EXTREMES) | st.integers(0, 300)
    return st.builds(
        FakeSpan,
        kind=st.just(kind),
        arguments=st.none() | st.tuples(*[bits] * len(kind.arguments)),
        result=st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(-5_000, 300),
        outcome=st.sampled_from(SpanOutcome),
        command=st.sampled_from(["nginx", "", "\udcff", "\U0001f600"]),
        container=st.sampled_from([WEB, LONE]),
        pid=st.integers(0, 2**31 - 1),
        tid=st.integers(0, 2),
        start_ns=st.integers(1, 2**62),
        duration_ns=st.integers(0, 2**61),
    )


KINDS_OF_ALL_SORTS = [*{one.kind.name: one.kind for one in AWKWARD_SPANS}.values(), MMAP, ODD]


@settings(max_examples=60, deadline=None)
@given(batches=st.lists(st.lists(st.sampled_from(KINDS_OF_ALL_SORTS).flatmap(spans_of_kind))))
def test_whatever_spans_there_are_they_are_right(batches: list[list[FakeSpan]]) -> None:
    encoder = SpanEncoder(RESOURCE)
    for spans in batches:
        # Two slices of a task that begin and end alike would share their ids.
        moments = [evolve(one, start_ns=one.start_ns + i) for i, one in enumerate(spans)]
        check(span_batch(*moments), encoder)
