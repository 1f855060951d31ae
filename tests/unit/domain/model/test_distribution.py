"""Buckets of durations: how far off what stands for them can be, and that counts add up."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_tracer.domain.model.buckets import duration_of
from container_tracer.domain.model.distribution import (
    RELATIVE_ERROR,
    Distributions,
    bucket_of,
    percentiles,
)

LONGEST = 2**63 - 1
DURATIONS = st.one_of(st.integers(0, 300), st.integers(0, 10**7), st.integers(0, LONGEST))


def array(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def off(duration: int, real: int) -> Fraction:
    """Say how far off a duration is, as a share of the real one."""
    return Fraction(abs(duration - real), max(real, 1))


@given(DURATIONS)
def test_what_stands_for_a_duration_is_off_by_less_than_the_error(duration: int) -> None:
    (bucket,) = bucket_of(array(duration)).tolist()
    assert off(duration_of(bucket), duration) < RELATIVE_ERROR


def test_up_to_127_ns_nothing_is_off() -> None:
    durations = np.arange(127)
    assert [duration_of(one) for one in bucket_of(durations).tolist()] == durations.tolist()


@pytest.mark.parametrize("power", range(6, 62))
def test_at_the_edges_of_a_power_of_two_nothing_is_off_by_more(power: int) -> None:
    for duration in (2**power - 2, 2**power - 1, 2**power):
        (bucket,) = bucket_of(array(duration)).tolist()
        assert off(duration_of(bucket), duration) < RELATIVE_ERROR


def test_longer_durations_are_never_in_a_lower_bucket() -> None:
    durations = np.unique(np.geomspace(1, LONGEST / 2, 100_000).astype(np.int64))
    buckets = bucket_of(durations)
    assert (np.diff(buckets) >= 0).all()
    assert 0 <= buckets.min() <= buckets.max() < 64 * 64


@given(st.lists(DURATIONS, min_size=1), st.integers(1, 100))
def test_a_percentile_is_that_of_the_durations_within_the_error(
    durations: list[int], percent: int
) -> None:
    rows = Distributions()
    rows.grow(1)
    rows.add(np.zeros(len(durations), dtype=np.int64), array(*durations))
    exact = sorted(durations)[-(-percent * len(durations) // 100) - 1]
    (found,) = percentiles(*rows.of(0), [percent])
    assert off(found, exact) < RELATIVE_ERROR


def test_of_nothing_every_percentile_is_0() -> None:
    rows = Distributions()
    rows.grow(1)
    assert percentiles(*rows.of(0), (50, 99)) == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 40), DURATIONS), min_size=1))
def test_every_duration_is_counted_once_in_its_row(pairs: list[tuple[int, int]]) -> None:
    rows = Distributions()
    rows.grow(41)
    for row, duration in pairs:
        rows.add(array(row), array(duration))
    for row in range(41):
        bucket, count = rows.of(row)
        mine = bucket_of(array(*(duration for one, duration in pairs if one == row)))
        expected, times = np.unique(mine, return_counts=True)
        assert (bucket.tolist(), count.tolist()) == (expected.tolist(), times.tolist())


def test_memory_does_not_grow_with_the_number_of_durations() -> None:
    rows = Distributions()
    rows.grow(4)
    durations = np.arange(10_000)
    rows.add(durations % 4, durations)
    before = rows.nbytes
    for _ in range(20):
        rows.add(durations % 4, durations)
    assert rows.nbytes == before
    assert sum(int(rows.of(row)[1].sum()) for row in range(4)) == 21 * 10_000
