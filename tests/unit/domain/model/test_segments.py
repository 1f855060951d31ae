"""Segments grow with use, and clearing them out keeps whatever lives."""

import numpy as np
import pytest

from container_tracer.domain.model import segments as module
from container_tracer.domain.model.segments import Segment, Segments, patch


def used(count: int) -> Segments:
    """Return segments in which task 5 was renamed so many times."""
    segments = Segments()
    for number in range(count):
        segments.set(Segment(0, 5, 5, 0, segments.command_number(f"name {number}")))
    return segments


def test_an_unknown_tid_has_no_segment() -> None:
    segments = used(1)
    assert segments.find(6) is None
    assert segments.find(-5) is None
    assert segments.find(1 << 40) is None


def test_the_last_segment_of_a_tid_is_the_current_one() -> None:
    segments = used(200)
    current = segments.find(5)
    assert current is not None
    assert segments.commands[current.command] == "name 199"


def test_a_tid_beyond_all_others_makes_room_for_itself() -> None:
    segments = used(1)
    segments.set(Segment(1, 4_000_000, 4_000_000, 0, 0))
    tids = np.array([5, 4_000_000, 4_000_001, -1, 2**31 - 1], dtype=np.int32)
    assert (segments.of(tids) > 0).tolist() == [True, True, False, False, False]


def test_no_tids_have_no_segments() -> None:
    assert len(used(1).of(np.empty(0, dtype=np.int32))) == 0


def test_an_ended_tid_has_no_segment() -> None:
    segments = used(3)
    segments.end(5)
    assert segments.find(5) is None
    assert len(segments.live()) == 0


def test_the_same_command_has_one_number() -> None:
    segments = Segments()
    assert [segments.command_number(name) for name in ("a", "b", "a")] == [0, 1, 0]


def test_few_dead_segments_are_left_alone() -> None:
    segments = used(100)
    assert segments.compact(np.empty(0, dtype=np.int32)) is None
    assert len(segments.commands) == 100


def test_many_dead_segments_and_commands_are_cleared_out() -> None:
    segments = used(module.CROWDED + 10)
    before = segments.commands
    numbers = segments.compact(np.array([3, 7, 3], dtype=np.int32))
    assert numbers is not None
    assert segments.commands == ["name 3", "name 7", f"name {module.CROWDED + 9}"]
    assert numbers[[3, 7, module.CROWDED + 9, 0]].tolist() == [0, 1, 2, -1]
    assert len(before) == module.CROWDED + 10
    assert len(segments.rows) < 100


def test_what_lives_keeps_its_names_when_others_are_cleared_out() -> None:
    segments = used(module.CROWDED + 50)
    for tid in range(10, 20):
        segments.set(Segment(tid, tid, tid, 1, segments.command_number(f"task {tid}")))
    assert segments.compact(np.empty(0, dtype=np.int32)) is not None
    for tid in range(10, 20):
        current = segments.find(tid)
        assert current is not None
        assert (current.task, current.pid, current.container) == (tid, tid, 1)
        assert segments.commands[current.command] == f"task {tid}"
        assert segments.command_number(f"task {tid}") == current.command


def test_commands_keep_their_numbers_while_they_are_few() -> None:
    segments = Segments()
    for _ in range(module.CROWDED + 10):
        segments.set(Segment(0, 5, 5, 0, segments.command_number("same")))
    assert segments.compact(np.empty(0, dtype=np.int32)) is None
    assert len(segments.rows) < 100
    assert segments.find(5) == Segment(0, 5, 5, 0, 0)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([], [1, 1, 1, 1]),
        ([(5, 2, 9)], [1, 1, 9, 1]),
        ([(5, 0, 9), (5, 2, 8)], [9, 1, 8, 1]),
        ([(5, 2, 8), (5, 2, 9)], [1, 1, 9, 1]),
        ([(6, 3, 7), (5, 0, 9)], [9, 1, 9, 7]),
        ([(5, 4, 9)], [1, 1, 1, 1]),
        ([(99, 0, 9)], [1, 1, 1, 1]),
    ],
)
def test_changes_hold_for_their_tid_from_their_row_on(
    changes: list[tuple[int, ...]], expected: list[int]
) -> None:
    segment = np.ones(4, dtype=np.int32)
    patch(segment, np.array([5, -6, 5, 6], dtype=np.int32), changes)
    assert segment.tolist() == expected
