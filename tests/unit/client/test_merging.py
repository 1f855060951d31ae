"""Rows of many nodes become one row."""

from typing import Any

import numpy as np
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from container_tracer.client import CallSummary, Summary
from container_tracer.client.merging import merge_calls, percentiles
from container_tracer.domain.model import distribution

COUNTS = st.dictionaries(st.integers(0, 2500), st.integers(1, 1000), max_size=20)


@given(COUNTS)
def test_percentiles_are_those_of_the_node(counts: dict[int, int]) -> None:
    ascending = sorted(counts.items())
    bucket = np.array([one for one, _ in ascending], dtype=np.int64)
    count = np.array([one for _, one in ascending], dtype=np.int64)
    percents = (1, 50, 95, 99, 100)
    assert percentiles(counts, percents) == distribution.percentiles(bucket, count, percents)


def call(**changes: Any) -> CallSummary:
    one = CallSummary(
        name="read",
        container="web",
        pod="web-1",
        count=10,
        errors=1,
        incomplete=2,
        total_ns=80,
        max_ns=10,
        buckets={576: 7, 640: 1},
    )
    return evolve(one, **changes)


def test_rows_of_the_same_place_are_added_up() -> None:
    slow = call(pod="web-2", total_ns=10**6, max_ns=10**6, buckets={1280: 8})
    nodes = [
        Summary(session_id="1", state="running", node="worker-1", calls=(call(),)),
        Summary(session_id="2", state="running", node="worker-2", calls=(slow,)),
    ]
    (row,) = merge_calls(nodes, lambda *_: ("", "", "web", ""))
    assert (row.count, row.errors, row.incomplete) == (20, 2, 4)
    assert (row.total_ns, row.max_ns) == (10**6 + 80, 10**6)
    assert row.buckets == {576: 7, 640: 1, 1280: 8}
    assert row.p50_ns < 2000 < 10**5 < row.p95_ns <= 10**6


def test_rows_of_different_places_stay_apart_the_longest_first() -> None:
    node = Summary(
        session_id="1", state="running", calls=(call(), call(name="write", total_ns=10**6))
    )
    rows = merge_calls([node, node], lambda _, one: (one.namespace, one.pod, one.container, ""))
    assert [(one.name, one.count) for one in rows] == [("write", 20), ("read", 20)]
