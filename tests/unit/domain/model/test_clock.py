from container_tracer.domain.model.clock import STEP_NS, ClockReading, WallOffset

NOON_NS = 1_800_000_000 * 10**9


def reading(at: int, offset: int, *, before: int = 50, after: int = 50) -> ClockReading:
    """Read a wall clock that is `offset` ahead, `at` a time of the trace clock."""
    return ClockReading(before_ns=at - before, wall_ns=at + offset, after_ns=at + after)


def test_the_best_of_some_readings_counts_first() -> None:
    late = reading(1_000, NOON_NS, after=5_000_000)
    early = reading(2_000, NOON_NS, before=7_000_000)
    assert WallOffset.of([late, reading(3_000, NOON_NS), early]).ns == NOON_NS


def test_it_stays_the_same_however_badly_clocks_are_read() -> None:
    offset = WallOffset.of([reading(1_000, NOON_NS)])
    readings = [
        reading(2_000, NOON_NS + 900),
        reading(3_000, NOON_NS - 900),
        reading(4_000, NOON_NS, after=30_000_000),  # this thread had to wait
        reading(5_000, NOON_NS, before=30_000_000),
    ]
    assert [offset.follow(one) for one in readings] == [NOON_NS] * 4


def test_a_clock_that_was_set_is_followed_at_once() -> None:
    offset = WallOffset.of([reading(1_000, NOON_NS)])
    for step in (3 * STEP_NS, -3600 * 10**9):
        assert offset.follow(reading(2_000, NOON_NS + step)) == NOON_NS + step
