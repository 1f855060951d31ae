"""Tables fit what they are shown on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from container_tracer.entrypoints.cli.table import (
    Cell,
    Column,
    Table,
    cut_text,
    table_lines,
)

TABLE = Table(
    columns=(
        Column(title="POD", flexible=True),
        Column(title="TASKS", right=True),
        Column(title="IMAGE", rank=1, flexible=True),
        Column(title="ID", wide=True),
    ),
    rows=[("web-7d9f5c8b6-x2x4z", "7", "registry/web:1", "4f1c"), ("db", "12", "-", "0")],
)


def test_in_a_pipe_nothing_is_cut_and_numbers_are_on_the_right() -> None:
    assert table_lines(TABLE) == [
        "POD                  TASKS  IMAGE",
        "web-7d9f5c8b6-x2x4z      7  registry/web:1",
        "db                      12  -",
    ]


def test_wide_has_every_column() -> None:
    assert table_lines(TABLE, wide=True)[1].split() == [
        "web-7d9f5c8b6-x2x4z",
        "7",
        "registry/web:1",
        "4f1c",
    ]


def test_a_narrow_terminal_loses_columns_by_rank_then_the_middle_of_names() -> None:
    assert table_lines(TABLE, width=27)[0].split() == ["POD", "TASKS"]
    assert table_lines(TABLE, width=20) == [
        "POD            TASKS",
        "web-7d…-x2x4z      7",
        "db                12",
    ]


@given(
    rows=st.lists(st.tuples(*[st.text(max_size=30)] * 4), max_size=5),
    width=st.integers(1, 100),
    wide=st.booleans(),
)
def test_no_line_is_longer_than_the_terminal_whatever_is_in_it(
    rows: list[tuple[str, str, str, str]], width: int, *, wide: bool
) -> None:
    table = Table(columns=TABLE.columns, rows=rows)
    lines = table_lines(table, width=width, wide=wide)
    assert len(lines) == len(rows) + 1
    assert all(cell_len(line) <= width for line in lines)


@given(text=st.text(st.characters(categories=["L", "N"]), max_size=40), width=st.integers(0, 40))
def test_a_cut_text_fits_and_one_that_fits_is_left_alone(text: str, width: int) -> None:
    cut = cut_text(text, width)
    assert cell_len(cut) <= width
    assert cut == text or cell_len(text) > width


@pytest.mark.parametrize("colour", [True, False])
def test_colours_come_only_where_they_are_wanted(colour: bool) -> None:
    table = Table(columns=(Column(title="A"),), rows=[(Cell("no", "bad"),)])
    assert ("\x1b" in "".join(table_lines(table, colour=colour))) is colour


def test_control_characters_are_made_visible() -> None:
    table = Table(columns=(Column(title="A"),), rows=[("\x1b[2J\r\n\t",)])
    assert table_lines(table)[1] == "\\x1b[2J\\r\\n\\t"
