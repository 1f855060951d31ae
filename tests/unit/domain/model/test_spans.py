import numpy as np
import pytest

from container_tracer.domain.model.spans import (
    COLUMNS,
    SpanBatch,
    SpanFilter,
    SpanOutcome,
    chosen,
)
from container_tracer.fakes.spans import (
    AWKWARD_SPANS,
    GETPID,
    OPENAT,
    READ,
    FakeSpan,
    awkward_batch,
    many_spans,
    span_batch,
)


def durations(batch: SpanBatch) -> list[int]:
    ns: list[int] = (batch.end_ns - batch.start_ns).tolist()
    return ns


def test_taking_rows_keeps_every_column_together_and_the_tables() -> None:
    batch = awkward_batch().take(np.array([9, 0]))
    expected = span_batch(AWKWARD_SPANS[9], AWKWARD_SPANS[0])
    assert durations(batch) == durations(expected)
    assert batch.arguments.tolist() == expected.arguments.tolist()
    assert [batch.kinds[kind] for kind in batch.kind] == [AWKWARD_SPANS[9].kind, OPENAT]
    assert batch.commands is not None
    assert len(batch.commands) == len(awkward_batch().commands)


def test_taking_by_mask_keeps_the_order() -> None:
    batch = span_batch(*(FakeSpan(duration_ns=ns) for ns in range(4)))
    assert durations(batch.take(np.array([True, False, True, True]))) == [0, 2, 3]


def test_a_span_counts_the_events_it_was_made_of() -> None:
    batch = span_batch(
        FakeSpan(),
        FakeSpan(result=None, outcome=SpanOutcome.UNFINISHED),
        FakeSpan(arguments=None, outcome=SpanOutcome.BEGAN_BEFORE),
    )
    assert batch.events == 4
    assert span_batch().events == 0


@pytest.mark.parametrize(
    ("result", "failed"), [(-1, True), (-4095, True), (-4096, False), (0, False), (-(2**63), False)]
)
def test_failed_are_results_in_the_range_of_errors(result: int, failed: bool) -> None:
    assert span_batch(FakeSpan(result=result)).failed.tolist() == [failed]


def test_a_call_that_did_not_return_has_not_failed() -> None:
    batch = span_batch(FakeSpan(result=-2))
    unfinished = SpanBatch(
        **{name: getattr(batch, name) for name in batch.__annotations__ if name != "returned"},
        returned=np.array([False]),
    )
    assert unfinished.failed.tolist() == [False]


def test_nbytes_is_what_the_columns_hold() -> None:
    per_span = 8 + 8 + 5 * 4 + 6 * 8 + 8 + 1 + 1 + 1
    assert span_batch(FakeSpan(), FakeSpan()).nbytes == 2 * per_span
    assert span_batch().nbytes == 0


def test_a_filter_of_nothing_keeps_all_but_first_returns_of_children() -> None:
    kept = SpanFilter().keep(awkward_batch()).tolist()
    assert kept == [span.outcome != SpanOutcome.CHILD_RETURN for span in AWKWARD_SPANS]


def test_a_filter_keeps_the_names_asked_for() -> None:
    batch = span_batch(FakeSpan(kind=READ), FakeSpan(kind=GETPID, arguments=()))
    assert SpanFilter(names=frozenset({"getpid", "unheard"})).keep(batch).tolist() == [False, True]
    assert SpanFilter(names=frozenset()).keep(batch).tolist() == [False, False]


def test_a_filter_keeps_what_took_at_least_so_long() -> None:
    batch = span_batch(*(FakeSpan(duration_ns=ns) for ns in (99, 100, 101)))
    assert SpanFilter(min_duration_ns=100).keep(batch).tolist() == [False, True, True]


def test_a_filter_keeps_only_calls_known_to_have_failed() -> None:
    batch = span_batch(
        FakeSpan(result=-2), FakeSpan(result=3), FakeSpan(result=None, outcome=SpanOutcome.LOST)
    )
    assert SpanFilter(errors_only=True).keep(batch).tolist() == [True, False, False]


def test_conditions_of_a_filter_all_have_to_hold() -> None:
    batch = span_batch(
        FakeSpan(result=-2, duration_ns=10),
        FakeSpan(result=-2, duration_ns=10, kind=GETPID, arguments=()),
        FakeSpan(result=-2, duration_ns=9),
        FakeSpan(result=1, duration_ns=10),
    )
    wanted = SpanFilter(names=frozenset({"read"}), min_duration_ns=10, errors_only=True)
    assert wanted.keep(batch).tolist() == [True, False, False, False]


def test_an_empty_batch_passes_every_filter() -> None:
    wanted = SpanFilter(names=frozenset({"read"}), min_duration_ns=1, errors_only=True)
    assert wanted.keep(span_batch()).tolist() == []


def test_every_incomplete_outcome_is_explained() -> None:
    incomplete = [outcome for outcome in SpanOutcome if outcome.incomplete]
    assert SpanOutcome.RETURNED not in incomplete
    assert SpanOutcome.NEVER_RETURNS not in incomplete
    assert len(incomplete) == len(SpanOutcome) - 2
    assert all(outcome.explanation for outcome in incomplete)


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("count", [0, 1, 9, 40])
def test_rows_are_chosen_alike_however_a_column_lies_in_memory(count: int, gaps: bool) -> None:
    wide = np.arange(40 * 8).reshape(40, 8)
    matrix = wide[:, 1:7] if gaps else wide[:, 1:7].copy()
    numbers = np.random.default_rng(count).permutation(40)[:count]
    mask = np.isin(np.arange(40), numbers)
    for column in (matrix, matrix[:, 0]):
        np.testing.assert_array_equal(chosen(column, numbers), column[numbers])
        np.testing.assert_array_equal(chosen(column, mask), column[mask])
        np.testing.assert_array_equal(chosen(column, slice(3, 9)), column[3:9])


def test_a_copy_has_memory_of_its_own() -> None:
    batch = many_spans(5)
    copy = batch.take(slice(1, 4)).copy()
    assert copy.shares_tables(batch)
    for name in COLUMNS:
        assert not np.shares_memory(getattr(copy, name), getattr(batch, name))
        np.testing.assert_array_equal(getattr(copy, name), getattr(batch, name)[1:4])
