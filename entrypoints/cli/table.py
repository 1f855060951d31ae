"""Tables fitted to what they are shown on: a terminal of some width, or a pipe of none."""

from collections.abc import Iterable, Sequence

from attrs import frozen
from rich.cells import cell_len, set_cell_size

from ...domain.model.quoting import printable

GAP = "  "
MIN_CUT = 8
"""Cells that a column which may be cut keeps at least."""

ELLIPSIS = "…"

STYLES = {
    "": "",
    "head": "\x1b[1m",
    "good": "\x1b[32m",
    "bad": "\x1b[31m",
    "warn": "\x1b[33m",
    "dim": "\x1b[2m",
    "name": "\x1b[36m",
}
"""What a style looks like on a terminal with colours."""

PLAIN = "\x1b[0m"


@frozen(kw_only=True)
class Column:
    """How a column behaves.

    A `wide` one is shown only where it was asked for or nothing is cut anyway. On a narrow
    terminal columns with a `rank` are given up, the highest first; then those that are
    `flexible` are cut, and the rest never: names in their middle, `prose` at its end.
    """

    title: str
    right: bool = False
    wide: bool = False
    rank: int = 0
    flexible: bool = False
    prose: bool = False


NODE = Column(title="NODE", rank=1, flexible=True)
"""Whose a row is, where there is more than one node."""


def with_nodes(columns: Sequence[Column], nodes: Iterable[str]) -> Sequence[Column]:
    """Show the column of nodes longer than others where there are several."""
    several = len(set(nodes)) > 1
    return [NODE if several and one.title == NODE.title else one for one in columns]


@frozen
class Cell:
    """A text and the style it is shown in, one of `STYLES`."""

    text: str
    style: str = ""


Row = Sequence[Cell | str]


@frozen(kw_only=True)
class Table:
    """Rows of as many cells as there are columns; `empty` is said where there are no rows."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    empty: str = "nothing"


def table_lines(
    table: Table, *, width: int | None = None, wide: bool = False, colour: bool = False
) -> list[str]:
    """Lay a table out, headings first.

    In a terminal of `width` cells no line is longer than that. Without a width nothing is cut
    or left out but the wide columns.
    """
    rows = [[_cell(one) for one in row] for row in table.rows]
    shown = [index for index, column in enumerate(table.columns) if wide or not column.wide]
    natural = [
        max([cell_len(column.title), *(cell_len(row[index].text) for row in rows)])
        for index, column in enumerate(table.columns)
    ]
    widths = {index: natural[index] for index in shown}
    if width is not None:
        fit_widths(widths, table.columns, width)
    heads = [Cell(column.title, "head") for column in table.columns]
    lines = (
        _line(row, widths, table.columns, width=width, colour=colour) for row in (heads, *rows)
    )
    return list(lines)


def fit_widths(widths: dict[int, int], columns: Sequence[Column], width: int) -> None:
    """Give up columns and narrow others, until they fit or nothing may be taken any more."""
    for index in sorted(widths, key=lambda one: -columns[one].rank):
        if _total(widths) <= width or not columns[index].rank:
            break
        del widths[index]
    flexible = [index for index in widths if columns[index].flexible]
    while (excess := _total(widths) - width) > 0:
        widest = max(flexible, key=lambda one: widths[one], default=None)
        if widest is None or widths[widest] <= MIN_CUT:
            break
        others = [widths[one] for one in flexible if one != widest]
        down_to = max([MIN_CUT, *(one for one in others if one < widths[widest])])
        widths[widest] = max(down_to, widths[widest] - excess)


def cut_text(text: str, width: int) -> str:
    """Cut a text in its middle: names tell themselves apart at both of their ends."""
    if cell_len(text) <= width:
        return text
    if width < MIN_CUT:
        return cut_end(text, width)
    tail = (width - 1) // 2
    head = set_cell_size(text, width - 1 - tail)
    rest = text
    while cell_len(rest) > tail:
        rest = rest[1:]
    return f"{head}{ELLIPSIS}{rest}"


def cut_end(text: str, width: int) -> str:
    """Cut a text at its end."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + ELLIPSIS * (width > 0)


def styled(text: str, style: str, *, colour: bool) -> str:
    """Put a text in a style, if there are colours."""
    return f"{STYLES[style]}{text}{PLAIN}" if colour and STYLES[style] and text else text


def _cell(one: Cell | str) -> Cell:
    text, style = (one.text, one.style) if isinstance(one, Cell) else (one, "")
    return Cell(printable(text), style)


def _line(
    row: Sequence[Cell],
    widths: dict[int, int],
    columns: Sequence[Column],
    *,
    width: int | None,
    colour: bool,
) -> str:
    texts, left = [], sum(widths.values()) + len(GAP) * len(widths) if width is None else width
    last = max(widths)
    for index, cells in widths.items():
        room = min(cells, left)
        if room <= 0:
            break
        left -= room + len(GAP)
        cut = cut_end if columns[index].prose else cut_text
        text = cut(row[index].text, room)
        padding = " " * (room - cell_len(text))
        shown = styled(text, row[index].style, colour=colour)
        if columns[index].right:
            texts.append(padding + shown)
        else:
            texts.append(shown if index == last else shown + padding)
    return GAP.join(texts)


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + len(GAP) * (len(widths) - 1)
