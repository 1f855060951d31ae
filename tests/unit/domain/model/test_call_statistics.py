"""Requests are counted for a minute, an hour and ever, and percentiles are near the truth."""

import random
from collections.abc import Iterable

import pytest

from container_tracer.domain.model.call_statistics import (
    HOUR_NS,
    MAX_METHODS,
    MINUTE_NS,
    OTHER_METHODS,
    PIECES,
    RELATIVE_ERROR,
    CallMethod,
    CallStatistics,
    CallTally,
)
from container_tracer.domain.model.single_span import (
    AttributeMap,
    SingleSpan,
    SingleSpanKind,
    SpanStatus,
)

SINCE = 1_795_166_100 * 10**9


def call(
    *,
    name: str = "GET /v1/pods",
    kind: SingleSpanKind = SingleSpanKind.SERVER,
    ended_ns: int = SINCE,
    duration_ns: int = 1,
    failed: bool = False,
    attributes: AttributeMap | None = None,
) -> SingleSpan:
    return SingleSpan(
        name=name,
        kind=kind,
        trace_id=b"\1" * 16,
        span_id=b"\2" * 8,
        started_ns=ended_ns - duration_ns,
        ended_ns=ended_ns,
        attributes=attributes or {},
        status=SpanStatus.ERROR if failed else SpanStatus.UNSET,
    )


def counts(method: CallMethod, now_ns: int) -> list[int]:
    return [one.tally.count for one in method.windows(now_ns, since_ns=SINCE).values()]


def test_a_call_leaves_the_minute_and_the_hour_but_never_the_total() -> None:
    method = CallMethod(SingleSpanKind.SERVER, "a")
    method.add(call(ended_ns=SINCE))
    last_of_minute = SINCE + MINUTE_NS - MINUTE_NS // PIECES
    assert counts(method, last_of_minute - 1) == [1, 1, 1]
    assert counts(method, SINCE + MINUTE_NS) == [0, 1, 1]
    assert counts(method, SINCE + HOUR_NS - HOUR_NS // PIECES - 1) == [0, 1, 1]
    assert counts(method, SINCE + HOUR_NS) == [0, 0, 1]


def test_a_steady_rate_is_what_it_is_in_every_window() -> None:
    method = CallMethod(SingleSpanKind.SERVER, "a")
    for second in range(2 * 3600):
        method.add(call(ended_ns=SINCE + second * 10**9 + 1))
    windows = method.windows(SINCE + 7200 * 10**9, since_ns=SINCE)
    for window in windows.values():
        assert window.tally.count == pytest.approx(window.passed_ns / 10**9, abs=1)
    assert MINUTE_NS * 11 / 12 <= windows["minute"].passed_ns <= MINUTE_NS
    assert HOUR_NS * 11 / 12 <= windows["hour"].passed_ns <= HOUR_NS


def test_no_window_is_longer_than_the_program_has_run() -> None:
    method = CallMethod(SingleSpanKind.SERVER, "a")
    windows = method.windows(SINCE + 3 * 10**9, since_ns=SINCE)
    assert {one.passed_ns for one in windows.values()} == {3 * 10**9}
    assert [one.passed_ns for one in method.windows(SINCE, since_ns=SINCE).values()] == [1, 1, 1]


def test_a_clock_that_is_set_back_loses_no_call() -> None:
    method = CallMethod(SingleSpanKind.SERVER, "a")
    method.add(call(ended_ns=SINCE + HOUR_NS))
    method.add(call(ended_ns=SINCE))
    assert counts(method, SINCE + HOUR_NS) == [2, 2, 2]


def ever(durations: Iterable[int]) -> CallTally:
    method = CallMethod(SingleSpanKind.SERVER, "a")
    for duration_ns in durations:
        method.add(call(duration_ns=duration_ns))
    return method.ever


@pytest.mark.parametrize("seed", range(3))
def test_percentiles_are_off_by_less_than_is_said(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - reproducible test data
    durations = sorted(int(10 ** rng.uniform(4, 11)) for _ in range(999))
    tally = ever(durations[::3])
    tally.merge(ever(durations[1::3]))
    tally.merge(ever(durations[2::3]))
    exact = [durations[-(-percent * 999 // 100) - 1] for percent in (50, 95, 99)]
    assert tally.percentiles() == pytest.approx(exact, rel=RELATIVE_ERROR)
    assert (tally.count, tally.max_ns, tally.total_ns) == (999, durations[-1], sum(durations))


@pytest.mark.parametrize("duration_ns", [-1, 0, 1, 8191, 8192, 2**37 - 1, 2**37, 10**18])
def test_any_duration_can_be_counted(duration_ns: int) -> None:
    assert all(0 <= one <= max(0, duration_ns) for one in ever([duration_ns]).percentiles())


def test_of_nothing_percentiles_are_0() -> None:
    assert CallTally().percentiles() == (0, 0, 0)


def test_bytes_come_in_and_go_out_by_the_side_that_counts_them() -> None:
    attributes = {"http.request.body.size": 7, "http.response.body.size": 100}
    statistics = CallStatistics()
    for kind in (SingleSpanKind.SERVER, SingleSpanKind.CLIENT):
        statistics.add(call(kind=kind, attributes=attributes, failed=True))
        statistics.add(call(kind=kind, attributes={"http.request.body.size": "many"}))
    (server,) = statistics.of(SingleSpanKind.SERVER)
    (client,) = statistics.of(SingleSpanKind.CLIENT)
    assert (server.ever.received_bytes, server.ever.sent_bytes, server.ever.errors) == (7, 100, 1)
    assert (client.ever.received_bytes, client.ever.sent_bytes, client.ever.errors) == (100, 7, 1)


def test_methods_beyond_a_number_are_counted_together() -> None:
    statistics = CallStatistics()
    for number in range(MAX_METHODS + 5):
        statistics.add(call(name=f"{number:04}"))
    names = [one.name for one in statistics.of(SingleSpanKind.SERVER)]
    assert len(names) == MAX_METHODS + 1
    assert statistics.of(SingleSpanKind.SERVER)[names.index(OTHER_METHODS)].ever.count == 5
