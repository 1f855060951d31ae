"""Gaps: what is known of calls while events were lost."""

import numpy as np
import pytest

from container_tracer.domain.model.calls import Calls, Gaps
from container_tracer.domain.model.ring_buffer import LossMark


def gaps(*marks: tuple[int, int]) -> Gaps:
    return Gaps.of([LossMark(cpu, *mark) for cpu, mark in enumerate(marks)])


@pytest.mark.parametrize(
    ("marks", "merged"),
    [
        ([], []),
        ([(5, 9)], [(5, 9)]),
        ([(5, 9), (5, 9)], [(5, 9)]),
        ([(20, 30), (5, 9)], [(5, 9), (20, 30)]),
        ([(5, 9), (9, 12)], [(5, 12)]),
        ([(0, 100), (5, 9), (50, 120)], [(0, 120)]),
        ([(9, 9)], [(9, 9)]),
        ([(50, 20), (30, 40), (45, 48)], [(30, 40), (45, 48), (50, 50)]),
    ],
)
def test_marks_of_all_cpus_are_merged_in_order(
    marks: list[tuple[int, int]], merged: list[tuple[int, int]]
) -> None:
    found = gaps(*marks)
    assert [*zip(found.since.tolist(), found.until.tolist(), strict=True)] == merged


@pytest.mark.parametrize(
    ("start", "end", "over"),
    [
        (0, 10, -1),
        (0, 11, 11),
        (0, 20, 20),
        (0, 99, 20),
        (15, 16, 16),
        (10, 20, 20),
        (20, 30, -1),
        (20, 31, 31),
        (20, 99, 40),
        (40, 99, -1),
        (0, 0, -1),
    ],
)
def test_the_first_gap_inside_says_when_it_is_over(start: int, end: int, over: int) -> None:
    found = gaps((10, 20), (30, 40)).end_of_first(np.array([start]), np.array([end]))
    assert found.tolist() == [over]


def test_no_gaps_are_inside_nothing() -> None:
    assert gaps().end_of_first(np.array([0]), np.array([99])).tolist() == [-1]


def test_joining_nothing_gives_no_calls_with_all_columns() -> None:
    joined = Calls.join(Calls.blank(0), Calls.blank(0))
    assert len(joined) == 0
    assert joined.arguments.shape == (0, 6)
    assert joined.events == 0


def test_calls_come_in_order_of_their_end_and_keep_the_order_of_ties() -> None:
    calls = Calls.blank(4)
    calls.end[:] = [5, 3, 5, 1]
    calls.tid[:] = [1, 2, 3, 4]
    assert calls.in_order().tid.tolist() == [4, 2, 1, 3]
