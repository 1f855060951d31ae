"""Summaries of many nodes as one: rows that are alike are added up, their distributions, too.

Buckets are those of the API (docs/rest-api.md, Summaries): counts of the same bucket add up,
wherever they were counted, and percentiles are read off the sum.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from ..domain.model.buckets import duration_of
from .values import CallSummary, Summary

Place: TypeAlias = Callable[[Summary, CallSummary], tuple[str, ...]]
"""Which row a call becomes part of: namespace, pod, container, its id."""

PERCENTS = (50, 95, 99)


def merge_calls(summaries: Iterable[Summary], place: Place) -> tuple[CallSummary, ...]:
    """Add up the calls of one name that `place` puts together, those first that took longest."""
    rows: dict[tuple[str, ...], list[CallSummary]] = {}
    for summary in summaries:
        for call in summary.calls:
            rows.setdefault((*place(summary, call), call.name), []).append(call)
    merged = (_merged(key, calls) for key, calls in rows.items())
    return tuple(sorted(merged, key=lambda one: -one.total_ns))


def _merged(key: Sequence[str], calls: Sequence[CallSummary]) -> CallSummary:
    namespace, pod, container, container_id, name = key
    buckets = _added(one.buckets for one in calls)
    longest = max(one.max_ns for one in calls)
    p50, p95, p99 = (min(ns, longest) for ns in percentiles(buckets, PERCENTS))
    return CallSummary(
        name=name,
        container=container,
        pod=pod,
        namespace=namespace,
        container_id=container_id,
        count=sum(one.count for one in calls),
        errors=sum(one.errors for one in calls),
        incomplete=sum(one.incomplete for one in calls),
        total_ns=sum(one.total_ns for one in calls),
        p50_ns=p50,
        p95_ns=p95,
        p99_ns=p99,
        max_ns=longest,
        buckets=buckets,
    )


def _added(several: Iterable[Mapping[int, int]]) -> dict[int, int]:
    sums: dict[int, int] = {}
    for one in several:
        for bucket, count in one.items():
            sums[bucket] = sums.get(bucket, 0) + count
    return sums


def percentiles(buckets: Mapping[int, int], percents: Sequence[int]) -> tuple[int, ...]:
    """Return durations that so many percent of all do not exceed, in nanoseconds; of none, 0."""
    total, counts = sum(buckets.values()), sorted(buckets.items())
    return tuple(_at(counts, -(-percent * total // 100)) for percent in percents)


def _at(counts: Sequence[tuple[int, int]], rank: int) -> int:
    passed = 0
    for bucket, count in counts:
        passed += count
        if passed >= rank:
            return duration_of(bucket)
    return 0
