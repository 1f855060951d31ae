"""Summaries of many nodes as one: rows that are alike are added up, their distributions, too.

Buckets are those of the API (docs/rest-api.md, Summaries): counts of the same bucket add up,
wherever they were counted, and percentiles are read off the sum.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from attrs import evolve

from ..domain.model.buckets import duration_of
from .values import CallSummary, Summary

Place: TypeAlias = Callable[[Summary, CallSummary], CallSummary]
"""Which row a call becomes part of: a call of the same name and place, its numbers left alone."""


def merge_calls(summaries: Iterable[Summary], place: Place) -> tuple[CallSummary, ...]:
    """Add up the calls that `place` puts into the same row, those first that took longest."""
    rows: dict[tuple[str, ...], CallSummary] = {}
    for summary in summaries:
        for call in summary.calls:
            placed = place(summary, call)
            key = (placed.namespace, placed.pod, placed.container, placed.container_id, placed.name)
            rows[key] = add_calls(rows[key], placed) if key in rows else placed
    return tuple(sorted(rows.values(), key=lambda one: -one.total_ns))


def add_calls(one: CallSummary, other: CallSummary) -> CallSummary:
    """Add a call's numbers to another's, whose names stay."""
    buckets = dict(Counter(one.buckets) + Counter(other.buckets))
    longest = max(one.max_ns, other.max_ns)
    p50, p95, p99 = (min(ns, longest) for ns in percentiles(buckets, (50, 95, 99)))
    return evolve(
        one,
        count=one.count + other.count,
        errors=one.errors + other.errors,
        incomplete=one.incomplete + other.incomplete,
        total_ns=one.total_ns + other.total_ns,
        p50_ns=p50,
        p95_ns=p95,
        p99_ns=p99,
        max_ns=longest,
        buckets=buckets,
    )


def percentiles(buckets: Mapping[int, int], percents: Iterable[int]) -> tuple[int, ...]:
    """Return durations that so many percent of all do not exceed, in nanoseconds; of none, 0."""
    total = sum(buckets.values())
    return tuple(_at(sorted(buckets.items()), -(-percent * total // 100)) for percent in percents)


def _at(counts: list[tuple[int, int]], rank: int) -> int:
    passed = 0
    for bucket, count in counts:
        passed += count
        if passed >= rank:
            return duration_of(bucket)
    return 0
