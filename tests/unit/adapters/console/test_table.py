import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from container_tracer.adapters.console.table import (
    ROWS_PER_HEADER,
    WIDTHS,
    SpanTable,
    fit_columns,
    fit_text,
)
from container_tracer.domain.model.spans import SpanBatch, SpanOutcome
from container_tracer.fakes.spans import (
    GETPID,
    OPENAT,
    FakeSpan,
    awkward_batch,
    many_spans,
    span_batch,
)


def lines_of(table: SpanTable, batch: SpanBatch, width: int) -> list[str]:
    rows = table.rows(batch, width)
    assert len(rows) == len(batch)
    return [line for row in rows for line in row.split("\n")]


def test_a_row_says_who_called_what_with_which_result_and_how_long() -> None:
    call = FakeSpan(kind=OPENAT, arguments=(2**64 - 100, 0), result=-2, duration_ns=12_345)
    header, row = lines_of(SpanTable(), span_batch(call), 150)
    assert header.split() == [name.upper() for name in WIDTHS]
    assert " ".join(row.split()) == (
        "12:00:00.000000 shop/web-0 nginx nginx 100/101"
        " openat(dfd=-100, flags=O_RDONLY) ENOENT 12.3 µs"
    )


def test_a_result_is_shown_as_its_call_would_have_it() -> None:
    call = FakeSpan(kind=evolve(OPENAT, result_text=hex), arguments=(3, 0), result=0x7F00)
    _, row = lines_of(SpanTable(), span_batch(call), 150)
    assert " 0x7f00 " in row


def test_columns_begin_below_their_titles() -> None:
    header, *rows = lines_of(SpanTable(), many_spans(9), 150)
    for title in ("COMMAND", "PID/TID", "CALL", "RESULT"):
        at = header.index(title)
        assert all(row[at - 1] == " " and row[at] != " " for row in rows)


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 132, 250])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = lines_of(SpanTable(), awkward_batch(), width)
    assert {len(line) for line in lines if line.isascii() or "你" not in line} == {width}


def test_a_narrow_terminal_still_shows_the_call() -> None:
    assert [*fit_columns(20, labels=16)] == ["call"]
    assert [*fit_columns(80, labels=16)] == ["time", "container", "call", "result", "duration"]
    assert [*fit_columns(150, labels=16)] == [*WIDTHS]


@given(st.integers(1, 400), st.integers(0, 100))
def test_columns_fill_the_terminal_exactly(width: int, labels: int) -> None:
    widths = fit_columns(width, labels=labels)
    assert sum(widths.values()) + len(widths) - 1 == width


def test_the_header_comes_back_now_and_then_and_when_the_terminal_changes() -> None:
    table = SpanTable()
    lines = lines_of(table, many_spans(ROWS_PER_HEADER + 1), 120)
    headers = [number for number, line in enumerate(lines) if line.startswith("TIME")]
    assert headers == [0, ROWS_PER_HEADER + 1]
    assert not lines_of(table, many_spans(1), 120)[0].startswith("TIME")
    assert lines_of(table, many_spans(1), 121)[0].startswith("TIME")


def test_a_container_cannot_write_to_the_terminal() -> None:
    lines = lines_of(SpanTable(colour=False), awkward_batch(), 250)
    assert all(line.isprintable() for line in lines)
    assert any(r"\x1b]0;owned" in line for line in lines)


def test_colour_marks_errors_and_incomplete_spans_only() -> None:
    spans = (
        FakeSpan(result=-2),
        FakeSpan(result=1),
        FakeSpan(result=None, outcome=SpanOutcome.LOST),
    )
    header, failed, fine, lost = lines_of(SpanTable(colour=True), span_batch(*spans), 150)
    assert header.startswith("\x1b[1m")
    assert header.endswith("\x1b[0m")
    assert "\x1b[31mENOENT" in failed
    assert "\x1b" not in fine
    assert "\x1b[33mincomplete" in lost


def test_an_incomplete_span_says_why() -> None:
    span = FakeSpan(kind=GETPID, arguments=(), result=None, outcome=SpanOutcome.TASK_ENDED)
    row = lines_of(SpanTable(), span_batch(span), 180)[1]
    assert "getpid() [the task ended inside the call]" in row


def test_an_empty_batch_is_no_line_not_even_a_header() -> None:
    assert lines_of(SpanTable(), span_batch(), 80) == []


@pytest.mark.parametrize(
    ("text", "fitted"),
    [
        ("abc", "abc  "),
        ("abcde", "abcde"),
        ("abcdef", "abcd…"),
        ("你好", "你好 "),
        ("你好吗", "你好…"),
        ("a你好吗", "a你… "),
        ("e\u0301", "e\u0301    "),
    ],
)
def test_text_is_fitted_by_the_cells_it_takes(text: str, fitted: str) -> None:
    assert fit_text(text, 5) == fitted
