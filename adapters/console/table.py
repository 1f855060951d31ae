"""Spans as rows of a table, fitted to a terminal."""

from collections.abc import Mapping
from unicodedata import combining, east_asian_width

from attrs import define

from ...domain.model.durations import duration_text
from ...domain.model.errnos import errno_name
from ...domain.model.quoting import printable
from ...domain.model.span_text import calls, container_label, texts_of, utc_times
from ...domain.model.spans import SpanBatch, SpanOutcome

ROWS_PER_HEADER = 40

WIDTHS = {
    "time": 15,
    "container": 12,
    "command": 15,
    "pid/tid": 15,
    "call": 24,
    "result": 14,
    "duration": 8,
}
"""Columns in their order, with the cells each takes at least; `call` gets what is left over."""

GIVEN_UP = ("pid/tid", "command", "container", "time", "duration", "result")
"""What a narrow terminal goes without, first things first."""

BOLD, RED, YELLOW, PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[33m", "\x1b[0m"


@define(kw_only=True)
class SpanTable:
    """One table, for as long as its terminal lives; its columns grow and never shrink.

    `colour` says whether the terminal wants it.
    """

    colour: bool = False
    _labels: int = WIDTHS["container"]
    _width: int = 0
    _rows_to_header: int = 0

    def rows(self, batch: SpanBatch, width: int) -> list[str]:
        """Lay the spans out for a terminal that is `width` cells wide, a text for each.

        It is a line, or two: the header is above a row now and then.
        """
        columns = _cells(batch)
        labels = max(map(_cells_wide, columns["container"]), default=0)
        self._labels = max(self._labels, min(labels, 40))
        widths = fit_columns(width, labels=self._labels)
        if width != self._width:
            self._width, self._rows_to_header = width, 0
        rows = []
        for cells in zip(*(columns[name] for name in WIDTHS), strict=True):
            row = self._row(dict(zip(WIDTHS, cells, strict=True)), widths)
            if not self._rows_to_header:
                row = f"{self._header(widths)}\n{row}"
                self._rows_to_header = ROWS_PER_HEADER
            self._rows_to_header -= 1
            rows.append(row)
        return rows

    def _header(self, widths: Mapping[str, int]) -> str:
        line = " ".join(_aligned(name.upper(), name, cells) for name, cells in widths.items())
        return f"{BOLD}{line}{PLAIN}" if self.colour else line

    def _row(self, texts: Mapping[str, str], widths: Mapping[str, int]) -> str:
        cells = {name: _aligned(texts[name], name, width) for name, width in widths.items()}
        colour = _RESULT_COLOURS.get(texts["result"][:1]) if self.colour else None
        if colour and "result" in cells:
            cells["result"] = f"{colour}{cells['result']}{PLAIN}"
        return " ".join(cells.values())


def fit_columns(width: int, *, labels: int) -> dict[str, int]:
    """Choose columns and their widths, in cells, for a terminal that is `width` cells wide.

    `labels` is what the names of containers would like to have; they get a fifth at most.
    """
    widths = dict(WIDTHS)
    for column in GIVEN_UP:
        if _total(widths) <= width:
            break
        del widths[column]
    if "container" in widths:
        wanted = min(labels, width // 5) - widths["container"]
        widths["container"] += max(0, min(wanted, width - _total(widths)))
    widths["call"] = max(1, widths["call"] + width - _total(widths))
    return widths


def fit_text(text: str, width: int) -> str:
    """Pad or cut printable text to `width` cells of a terminal."""
    if text.isascii() and len(text) <= width:
        return text.ljust(width)
    cells = _cells_wide(text)
    if cells > width:
        while text and cells > width - 1:
            cells -= _cells_wide(text[-1])
            text = text[:-1]
        text, cells = f"{text}…", cells + 1
    return text + " " * (width - cells)


_RESULT_COLOURS = {"E": RED, "e": RED, "i": YELLOW}
"""By first letter: `ENOENT`, `errno 600`, `incomplete`; other results are numbers."""


def _cells(batch: SpanBatch) -> dict[str, list[str]]:
    containers, commands = batch.containers, batch.commands
    ids = zip(batch.pid.tolist(), batch.tid.tolist(), strict=True)
    return {
        "time": [time[11:26] for time in utc_times(batch.start_ns)],
        "container": texts_of(
            batch.container.tolist(), lambda index: printable(container_label(containers[index]))
        ),
        "command": texts_of(batch.command.tolist(), lambda index: printable(commands[index])),
        "pid/tid": [f"{pid}/{tid}" for pid, tid in ids],
        "call": _explained_calls(batch),
        "result": _results(batch),
        "duration": texts_of((batch.end_ns - batch.start_ns).tolist(), duration_text),
    }


def _explained_calls(batch: SpanBatch) -> list[str]:
    reasons = texts_of(batch.outcome.tolist(), _reason)
    return [printable(call) + why for call, why in zip(calls(batch), reasons, strict=True)]


def _reason(outcome: int) -> str:
    explanation = SpanOutcome(outcome).explanation
    return f" [{explanation}]" if explanation else ""


def _results(batch: SpanBatch) -> list[str]:
    kinds = (batch.kinds[number] for number in batch.kind.tolist())
    results = (
        errno_name(result) or kind.result_text(result)
        for kind, result in zip(kinds, batch.result.tolist(), strict=True)
    )
    rows = zip(results, batch.returned.tolist(), batch.outcome.tolist(), strict=True)
    return [
        result if returned else "incomplete" if SpanOutcome(outcome).incomplete else ""
        for result, returned, outcome in rows
    ]


def _total(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + len(widths) - 1


def _aligned(text: str, column: str, width: int) -> str:
    return text.rjust(width) if column == "duration" else fit_text(text, width)


def _cells_wide(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(0 if combining(one) else 1 + (east_asian_width(one) in "WF") for one in text)
