"""What stands in for spans that never come: one readable trace each, and never another's span."""

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from container_tracer.domain.model.guests.missing_spans import (
    MAX_SETTLED,
    MAX_SPANS,
    MAX_TRACES,
    OTHER_NAME,
    ROOT_NAME,
    SYNTHETIC,
    GuestTraces,
)
from container_tracer.domain.model.single_span import AttributeMap, SingleSpan


def span(
    number: int,
    parent: int = 0,
    *,
    trace: int = 1,
    at: tuple[int, int] = (10, 20),
    request: bool = False,
) -> SingleSpan:
    attributes: AttributeMap = {"req": "..."} if request else {}
    return SingleSpan(
        name=f"span {number}",
        trace_id=trace.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        started_ns=at[0],
        ended_ns=at[1],
        attributes=attributes,
    )


def settled(*spans: SingleSpan) -> list[SingleSpan]:
    traces = GuestTraces()
    for one in spans:
        traces.add(one)
    return traces.settle()


def stand_in(
    number: int, parent: int = 0, *, trace: int = 1, at: tuple[int, int] = (10, 20)
) -> SingleSpan:
    name = OTHER_NAME if parent else ROOT_NAME
    return evolve(span(number, parent, trace=trace, at=at), name=name, attributes={SYNTHETIC: True})


def test_a_root_that_never_came_is_made_up_for_from_the_first_start_to_the_last_end() -> None:
    below = span(2, 1, at=(10, 20)), span(3, 1, at=(5, 12)), span(4, 3, at=(6, 30))
    assert settled(*below) == [stand_in(1, at=(5, 30))]


def test_a_trace_that_is_whole_needs_nothing_in_whatever_order_it_came() -> None:
    whole = [span(1), span(2, 1), span(3, 2), span(4, 2)]
    assert settled(*whole) == settled(*reversed(whole)) == []


def test_there_is_one_root_and_what_else_is_missing_is_below_it() -> None:
    orphans = span(5, 4, at=(50, 60)), span(3, 2, at=(10, 20)), span(7, 6, at=(30, 40))
    assert settled(*orphans) == [
        stand_in(2, at=(10, 60)),
        stand_in(6, 2, at=(30, 40)),
        stand_in(4, 2, at=(50, 60)),
    ]


def test_a_root_that_came_stays_the_only_one() -> None:
    assert settled(span(1), span(3, 2)) == [stand_in(2, 1)]


def test_a_parent_of_the_runtime_is_never_made_up() -> None:
    assert settled(span(2, 1, request=True), span(3, 2)) == []


def test_beside_traces_of_the_runtime_the_agents_own_is_looked_after() -> None:
    own = span(2, 1, trace=1, at=(5, 6))
    theirs = span(4, 3, trace=2, request=True)
    # Its request has not ended when the machine was killed; whose trace it is cannot be seen.
    cut_off = span(6, 5, trace=3)
    assert settled(cut_off, theirs, own) == [stand_in(1, at=(5, 6))]


def test_where_no_trace_comes_from_the_runtime_all_are_the_agents_own() -> None:
    request = span(3, trace=2, request=True)
    assert settled(span(2, 1, at=(5, 6)), request, span(6, 5, trace=3)) == [
        stand_in(1, at=(5, 6)),
        stand_in(5, trace=3),
    ]


def test_what_comes_after_all_is_told_and_made_up_for_once_only() -> None:
    traces = GuestTraces()
    assert not traces.add(span(2, 1))
    assert len(traces.settle()) == 1
    assert not traces.add(span(3, 1))
    assert traces.add(span(1))
    assert traces.settle() == []


def test_a_trace_too_large_to_be_remembered_is_left_alone() -> None:
    assert settled(*(span(number + 2, 1) for number in range(MAX_SPANS))) == []
    assert len(settled(*(span(number + 2, 1) for number in range(MAX_SPANS - 1)))) == 1


def test_memory_is_bounded_and_the_first_trace_is_kept() -> None:
    traces = GuestTraces()
    traces.add(span(2, 1, trace=1, at=(1, 2)))
    for trace in range(2, 1000):
        traces.add(span(trace, 1, trace=trace))
    assert len(traces._open) <= MAX_TRACES
    assert len(traces._settled) <= MAX_SETTLED
    made = traces.settle()
    assert made[0] == stand_in(1, at=(1, 2))
    assert len(made) == MAX_TRACES


def test_whole_traces_are_forgotten_before_others() -> None:
    traces = GuestTraces()
    traces.add(span(2, 1, trace=1, at=(1, 2)))
    traces.add(span(2, 1, trace=2))
    for trace in range(3, 1000):
        traces.add(span(1, trace=trace))
    assert [one.trace_id[-1] for one in traces.settle()] == [1, 2]


TREES = st.integers(1, 12).flatmap(
    lambda size: st.tuples(
        st.tuples(*(st.integers(0, max(0, number - 1)) for number in range(size))),
        st.sets(st.integers(0, size - 1)),
        st.permutations(range(size)),
    )
)


@given(TREES)
@settings(deadline=None, derandomize=True, max_examples=200)
def test_whatever_is_missing_of_a_trace_what_is_seen_of_it_is_one_tree(
    tree: tuple[tuple[int, ...], set[int], list[int]],
) -> None:
    parents, lost, order = tree
    every = [
        span(number + 1, parent + 1 if number else 0, at=(number, 50 - number))
        for number, parent in enumerate(parents)
    ]
    came = [every[number] for number in order if number not in lost]
    seen = came + settled(*came)
    ids = {one.span_id for one in seen}
    assert len(ids) == len(seen)
    assert all(one.parent_span_id in ids for one in seen if one.parent_span_id)
    assert sum(not one.parent_span_id for one in seen) == bool(came)
    for one in seen:
        below = [other for other in seen if other.parent_span_id == one.span_id]
        assert all(one.started_ns <= other.started_ns for other in below)
        assert all(one.ended_ns >= other.ended_ns for other in below)
