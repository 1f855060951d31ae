"""Senders take turns, what is more than fits is dropped from who has most, and all of it counts."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from container_tracer.domain.model.single_span import SingleSpan
from container_tracer.domain.services.fair_queue import FairQueue, WaitingSpan

SPAN = SingleSpan(name="x", trace_id=b"\1" * 16, span_id=b"\1" * 8, started_ns=1, ended_ns=2)


def waiting(sender: str, size: int = 1) -> WaitingSpan:
    return WaitingSpan(SPAN, size, sender)


def test_senders_are_served_in_turn_and_each_in_order() -> None:
    queue = FairQueue()
    flood, few = [waiting("flood", n) for n in range(6)], [waiting("few", n) for n in range(2)]
    for one in [*flood, *few]:
        queue.add(one)
    assert queue.take(5) == [flood[0], few[0], flood[1], few[1], flood[2]]
    queue.settle([])
    assert queue.take(5) == flood[3:]


def test_who_floods_pushes_out_nobody_but_himself() -> None:
    queue = FairQueue()
    for number in range(1000):
        queue.add(waiting("flood"))
        queue.shrink(count=10, size=100)
        if number < 4:
            queue.add(waiting("few"))
            queue.shrink(count=10, size=100)
    assert Counter(one.sender for one in queue.take(100)) == {"flood": 6, "few": 4}


def test_large_spans_push_out_no_small_ones_of_others() -> None:
    queue = FairQueue()
    for _ in range(5):
        queue.add(waiting("small", 1))
        queue.add(waiting("large", 60))
        queue.shrink(count=100, size=100)
    assert Counter(one.sender for one in queue.take(100)) == {"small": 5, "large": 1}


def test_what_is_left_of_a_batch_is_taken_again_first_and_in_order() -> None:
    queue = FairQueue()
    every = [waiting("a", size) for size in range(5)]
    for one in every:
        queue.add(one)
    queue.take(3)
    queue.settle(every[1:3])
    assert (len(queue), queue.size) == (4, 10)
    assert queue.take(9) == every[1:]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from("abc"), st.integers(1, 40)),
        st.tuples(st.just("take"), st.integers(1, 5), st.integers(0, 5)),
    ),
    max_size=60,
)


@given(STEPS)
@settings(deadline=None, derandomize=True, max_examples=150)
def test_whatever_happens_every_span_is_there_or_settled_or_dropped(steps: list) -> None:  # type: ignore[type-arg]
    queue, added, dropped, settled = FairQueue(), 0, 0, 0
    for what, first, second in steps:
        if what == "add":
            queue.add(waiting(first, second))
            added += 1
            dropped += queue.shrink(count=8, size=100)
            assert len(queue) <= 8
            assert queue.size <= 100
        else:
            batch = list(queue.take(first))
            queue.settle(batch[second:])
            settled += len(batch[:second])
        assert added == len(queue) + dropped + settled
    rest = queue.take(1000)
    assert (len(rest), sum(one.size for one in rest)) == (len(queue), queue.size)
