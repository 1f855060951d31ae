"""Rates come from two looks; numbers stay short."""

import pytest

from container_tracer.client import CallSummary, Summary
from container_tracer.entrypoints.cli.summary_table import call_rows, short_number, summary_table
from container_tracer.entrypoints.cli.table import table_lines

SECOND = 10**9


def summary(until_s: int, count: int) -> Summary:
    call = CallSummary(name="read", container="web", pod="shop", count=count)
    return Summary(
        session_id="1",
        state="running",
        started_ns=SECOND,
        until_ns=(1 + until_s) * SECOND,
        calls=(call,),
    )


def test_the_first_rate_is_of_the_whole_run_and_later_ones_of_the_time_between() -> None:
    (first,) = call_rows([summary(2, 20)], {})
    assert first.rate == 10
    before = {first.key: (first.summary.until_ns, first.call.count)}
    (second,) = call_rows([summary(4, 50)], before)
    assert second.rate == 15


def test_a_run_that_began_anew_is_counted_anew() -> None:
    (first,) = call_rows([summary(10, 1000)], {})
    before = {first.key: (first.summary.until_ns, first.call.count)}
    (again,) = call_rows([summary(1, 5)], before)
    assert again.rate == 5


def test_no_time_is_no_rate() -> None:
    assert call_rows([summary(0, 5)], {})[0].rate == 0


def test_calls_that_never_return_have_no_latency() -> None:
    rows = call_rows([summary(1, 5)], {})
    assert table_lines(summary_table(rows, sort="total"))[1].split()[-5:] == ["-"] * 5


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (9.54, "9.5"),
        (812.4, "812"),
        (9999, "9999"),
        (12_345, "12.3k"),
        (999_999, "1M"),
        (4_510_000, "4.51M"),
        (7e9, "7G"),
    ],
)
def test_numbers_take_five_cells(number: float, text: str) -> None:
    assert short_number(number) == text
