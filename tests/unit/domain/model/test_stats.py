"""Balances: what was recorded is what became of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from container_tracer.domain.model.stats import (
    CpuCounters,
    ExporterStats,
    SessionStats,
    SourceStats,
    parse_cpu_counters,
)

COUNTS = st.integers(0, 10**12)
BALANCES = st.builds(
    SourceStats,
    recorded=COUNTS,
    attributed=COUNTS,
    unattributed=COUNTS,
    lost=COUNTS,
    malformed=COUNTS,
    pending=COUNTS,
)

STATS = """\
entries: 129
overrun: 7
commit overrun: 3
bytes: 7464
oldest event ts:  1234.567890
now ts:  1300.000001
dropped events: 5
read events: 1000
"""


def test_the_kernels_counters_are_read_by_name() -> None:
    assert parse_cpu_counters(3, STATS) == CpuCounters(3, 129, 7, 5, 1000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "nothing here",
        "entries: many\noverrun:\nread events: -5\ndropped events: 1.5",
        "entries: \N{SUPERSCRIPT TWO}",
        "entries 5",
    ],
)
def test_what_is_no_counter_counts_as_nothing(text: str) -> None:
    assert parse_cpu_counters(1, text) == CpuCounters(1)


def test_a_cpu_recorded_what_is_left_read_or_lost() -> None:
    one = parse_cpu_counters(0, STATS)
    assert (one.recorded, one.lost) == (129 + 7 + 5 + 1000, 12)


def test_counters_since_are_differences_but_for_what_is_there_now() -> None:
    earlier, now = CpuCounters(2, 10, 1, 2, 100), CpuCounters(2, 4, 3, 2, 150)
    assert now.since(earlier) == CpuCounters(2, 4, 2, 0, 50)


def test_a_source_is_balanced_when_all_is_accounted_for() -> None:
    one = SourceStats(recorded=21, attributed=1, unattributed=2, lost=3, malformed=4, pending=11)
    assert one.balance == 0
    assert SourceStats(recorded=1).balance == 1
    assert SourceStats(lost=1).balance == -1


def test_what_was_pending_then_came_after() -> None:
    earlier = SourceStats(recorded=100, attributed=60, unattributed=20, lost=5, pending=15)
    now = SourceStats(recorded=150, attributed=100, unattributed=30, lost=10, pending=10)
    since = now.since(earlier)
    assert (since.recorded, since.attributed, since.unattributed) == (65, 40, 10)
    assert (since.lost, since.pending, since.balance) == (5, 10, 0)


def test_a_cpu_that_came_later_counts_from_nothing() -> None:
    earlier = SourceStats(cpus=(CpuCounters(0, 1, 1, 1, 1),))
    now = SourceStats(cpus=(CpuCounters(0, 2, 2, 2, 2), CpuCounters(1, 3, 3, 3, 3)))
    assert now.since(earlier).cpus == (CpuCounters(0, 2, 1, 1, 1), CpuCounters(1, 3, 3, 3, 3))


@settings(max_examples=100, derandomize=True, deadline=None)
@given(BALANCES, BALANCES)
def test_a_balance_since_is_off_by_as_much_as_both_are(
    earlier: SourceStats, now: SourceStats
) -> None:
    assert now.since(earlier).balance == now.balance - earlier.balance


@settings(max_examples=50, derandomize=True, deadline=None)
@given(BALANCES)
def test_since_nothing_is_everything(now: SourceStats) -> None:
    assert now.since(SourceStats()) == now


def test_a_session_passes_on_what_is_neither_filtered_nor_sampled_out() -> None:
    assert SessionStats(attributed=10, filtered_out=3, sampled_out=2).passed == 5


def test_every_exporter_of_a_session_is_balanced_by_itself() -> None:
    one = SessionStats(attributed=10, filtered_out=2, open=1)
    one.exporters["good"] = ExporterStats(delivered=4, dropped=2, pending=1)
    one.exporters["short"] = ExporterStats(delivered=4)
    assert one.balances == {"good": 0, "short": 3}
    assert SessionStats().balances == {}
