"""Summaries as a table: counts, rates, errors and latencies, the most expensive call first."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from attrs import frozen

from ...client import CallSummary, Summary
from ...domain.model.durations import duration_text
from .table import NODE, Cell, Column, Row, Table, with_nodes

COLUMNS = (
    Column(title="CONTAINER", flexible=True),
    Column(title="CALL", flexible=True),
    Column(title="CALLS", right=True, rank=2),
    Column(title="/S", right=True),
    Column(title="ERR", right=True),
    Column(title="P50", right=True),
    Column(title="P95", right=True),
    Column(title="P99", right=True),
    Column(title="MAX", right=True),
    Column(title="TOTAL", right=True, rank=1),
    Column(title=NODE.title, wide=True, rank=4),
    Column(title="HOOK", wide=True, rank=5),
    Column(title="INCOMPLETE", right=True, wide=True, rank=6),
)

Key: TypeAlias = tuple[str, str, str, str, str, str]


@frozen
class CallRow:
    """One call of one container in a summary, and how often it came per second lately."""

    summary: Summary
    call: CallSummary
    rate: float

    @property
    def key(self) -> Key:
        """What tells it apart."""
        call = self.call
        place = (call.namespace, call.pod, call.container, call.container_id)
        return (self.summary.session_id, *place, call.name)


SORT_KEYS: Mapping[str, Callable[[CallRow], float]] = {
    "total": lambda row: row.call.total_ns,
    "calls": lambda row: row.call.count,
    "rate": lambda row: row.rate,
    "errors": lambda row: row.call.errors,
    "p50": lambda row: row.call.p50_ns,
    "p95": lambda row: row.call.p95_ns,
    "p99": lambda row: row.call.p99_ns,
    "max": lambda row: row.call.max_ns,
}
"""What rows can be sorted by, largest first."""


def call_rows(summaries: Iterable[Summary], before: Mapping[Key, tuple[int, int]]) -> list[CallRow]:
    """Work out rates: calls since an earlier look, whose times and counts are given by key.

    Without an earlier look the rate is that of the whole run.
    """
    return [_rated(one, call, before) for one in summaries for call in one.calls]


def _rated(summary: Summary, call: CallSummary, before: Mapping[Key, tuple[int, int]]) -> CallRow:
    row = CallRow(summary, call, 0.0)
    then_ns, count = before.get(row.key, (summary.started_ns, 0))
    if call.count < count:  # another run has begun
        then_ns, count = summary.started_ns, 0
    seconds = (summary.until_ns - then_ns) / 1e9
    rate = (call.count - count) / seconds if seconds > 0 else 0.0
    return CallRow(summary, call, rate)


def summary_table(rows: Sequence[CallRow], *, sort: str) -> Table:
    """Lay rows out, sorted."""
    ordered = sorted(rows, key=SORT_KEYS[sort], reverse=True)
    columns = with_nodes(COLUMNS, (one.summary.node for one in rows))
    return Table(columns=columns, rows=[_row(one) for one in ordered], empty="No calls yet.")


def _row(row: CallRow) -> Row:
    call, summary = row.call, row.summary
    return (
        _label(call),
        Cell(call.name, "name"),
        f"{call.count:,}",
        short_number(row.rate),
        Cell(short_number(call.errors), "bad" if call.errors else ""),
        *(
            duration_text(ns) if call.max_ns else "-"
            for ns in (call.p50_ns, call.p95_ns, call.p99_ns, call.max_ns, call.total_ns)
        ),
        summary.node,
        summary.hook,
        f"{call.incomplete:,}",
    )


def _label(call: CallSummary) -> str:
    pod = f"{call.namespace}/{call.pod}" if call.namespace else call.pod
    if call.container in ("", call.pod):
        return pod or "-"
    return f"{pod} {call.container}" if pod else call.container


def short_number(number: float) -> str:
    """Write a number in five cells at most: `0`, `9.5`, `812`, `12.3k`, `4.5M`."""
    for from_, size, unit in ((999.5e6, 1e9, "G"), (999.5e3, 1e6, "M"), (1e4, 1e3, "k")):
        if number >= from_:
            return f"{number / size:.3g}{unit}"
    if number >= 10 or number == int(number):  # noqa: PLR2004 - fractions matter below ten only
        return f"{number:.0f}"
    return f"{number:.1f}"
