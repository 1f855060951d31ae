"""Slices are whole traces of bounded size, and ids do not depend on who asks."""

from typing import Any

import numpy as np
import pytest
from attrs import evolve

from container_tracer.domain.model.spans import COLUMNS, SpanBatch
from container_tracer.domain.model.trace_context import SpanContext
from container_tracer.domain.model.traces import SLICE_SPANS, SessionTrace, TracedBatch, cut
from container_tracer.fakes.spans import (
    LONE,
    NOON_NS,
    WEB,
    FakeSpan,
    awkward_batch,
    many_spans,
    span_batch,
)

SESSION = SessionTrace.of("42", started_ns=NOON_NS, name="why", attributes={"node": "n1"})


def busy(count: int) -> SpanBatch:
    """Make spans of one task, one after the other."""
    return span_batch(*(FakeSpan(start_ns=NOON_NS + 2_000 * i) for i in range(count)))


def rows_of(traced: TracedBatch, number: int) -> slice:
    first, count = traced.slices.first[number], traced.slices.count[number]
    return slice(int(first), int(first + count))


def test_no_spans_make_no_slices() -> None:
    traced = cut(span_batch(), SESSION)
    assert (len(traced.spans), len(traced.slices), len(traced.span_id)) == (0, 0, 0)


def test_each_task_of_each_container_has_slices_of_its_own() -> None:
    one, two, three = FakeSpan(tid=1), FakeSpan(tid=2), FakeSpan(tid=2, container=LONE)
    traced = cut(span_batch(one, two, three, one, two), SESSION)
    slices = traced.slices
    found = zip(slices.container, slices.tid, slices.count, strict=True)
    containers = [WEB, LONE]
    assert [(containers[c], t, n) for c, t, n in found] == [(WEB, 1, 2), (WEB, 2, 2), (LONE, 2, 1)]


def test_every_span_is_in_one_slice_and_keeps_its_columns() -> None:
    batch = many_spans(1_000)
    traced = cut(batch, SESSION)
    assert traced.slices.count.sum() == len(batch)
    back = np.argsort(traced.spans.start_ns, kind="stable")
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(traced.spans.take(back), name), getattr(batch, name))
        came_as = getattr(batch.take(traced.row_of), name)
        np.testing.assert_array_equal(getattr(traced.spans, name), came_as)
    for number in range(len(traced.slices)):
        assert set(traced.slice_of[rows_of(traced, number)]) == {number}


@pytest.mark.parametrize(
    ("spans", "sizes"),
    [
        (SLICE_SPANS, [SLICE_SPANS]),
        (SLICE_SPANS + 1, [SLICE_SPANS, 1]),
        (2 * SLICE_SPANS + 7, [SLICE_SPANS, SLICE_SPANS, 7]),
    ],
)
def test_a_slice_is_bounded(spans: int, sizes: list[int]) -> None:
    assert cut(busy(spans), SESSION).slices.count.tolist() == sizes


def test_a_root_spans_all_its_children_and_sums_them_up() -> None:
    long = FakeSpan(start_ns=NOON_NS - 50, duration_ns=10_000_000, result=-2)
    half = FakeSpan(start_ns=NOON_NS + 5, arguments=None)
    slices = cut(span_batch(FakeSpan(), long, half), SESSION).slices
    assert slices.start_ns.tolist() == [NOON_NS - 50]
    assert slices.end_ns.tolist() == [NOON_NS - 50 + 10_000_000]
    assert (slices.failed.tolist(), slices.events.tolist()) == ([1], [5])


def test_ids_are_never_0_and_never_twice() -> None:
    traced = cut(many_spans(30_000), SESSION)
    ids = np.concatenate([traced.span_id, traced.slices.root_id])
    assert len(np.unique(ids)) == len(ids)
    assert ids.all()
    assert len(np.unique(traced.slices.trace_id, axis=0)) == len(traced.slices)
    assert traced.slices.trace_id.all()


def test_ids_are_the_same_each_time_and_others_in_another_run() -> None:
    first, again = cut(awkward_batch(), SESSION), cut(awkward_batch(), SESSION)
    np.testing.assert_array_equal(first.span_id, again.span_id)
    np.testing.assert_array_equal(first.slices.trace_id, again.slices.trace_id)
    later = SessionTrace.of("42", started_ns=NOON_NS + 1, name="why", attributes={})
    other = cut(awkward_batch(), later)
    assert not np.isin(other.span_id, first.span_id).any()


def test_slices_of_later_batches_have_other_ids() -> None:
    batch = busy(20)
    early, late = cut(batch.take(slice(10)), SESSION), cut(batch.take(slice(10, 20)), SESSION)
    assert not np.isin(late.slices.trace_id, early.slices.trace_id).any()
    assert not np.isin(late.span_id, early.span_id).any()


def test_a_session_has_ids_of_the_right_length() -> None:
    assert (len(SESSION.trace_id), len(SESSION.span_id)) == (16, 8)


CALLER = SpanContext(trace_id=bytes(15) + b"\7", span_id=bytes(7) + b"\5", trace_state="a=1")


def called(caller: SpanContext, session_id: str = "42") -> SessionTrace:
    return SessionTrace.of(session_id, started_ns=NOON_NS, name="why", attributes={}, caller=caller)


def test_a_session_without_a_caller_is_the_root_of_its_own_trace() -> None:
    assert (SESSION.parent_span_id, SESSION.trace_state) == (b"", "")


def test_a_session_joins_the_trace_of_its_caller_with_an_id_of_its_own() -> None:
    joined = called(CALLER)
    assert (joined.trace_id, joined.parent_span_id) == (CALLER.trace_id, CALLER.span_id)
    assert (joined.span_id, joined.trace_state) == (SESSION.span_id, "a=1")


def test_a_caller_that_nobody_keeps_is_no_parent() -> None:
    joined = called(evolve(CALLER, sampled=False))
    assert (joined.trace_id, joined.parent_span_id) == (CALLER.trace_id, b"")


def test_sessions_of_one_trace_cut_the_same_spans_into_slices_of_their_own() -> None:
    batch = many_spans(100)
    one, two = (cut(batch, called(CALLER, session_id)) for session_id in ("1", "2"))
    assert not np.isin(one.slices.trace_id, two.slices.trace_id).any()
    assert not np.isin(one.span_id, two.span_id).any()


def test_sessions_of_a_group_are_in_one_trace_each_with_a_span_of_its_own() -> None:
    def grouped(session_id: str, **more: Any) -> SessionTrace:
        return SessionTrace.of(
            session_id, started_ns=NOON_NS, name="why", attributes={}, group="7", **more
        )

    one, two = grouped("1"), grouped("2")
    assert one.trace_id == two.trace_id != SESSION.trace_id
    assert one.span_id != two.span_id
    assert one.parent_span_id == two.parent_span_id == b""
    assert grouped("1", caller=CALLER).trace_id == CALLER.trace_id
