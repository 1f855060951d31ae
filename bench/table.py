"""Results as tables, for a terminal and for a page alike."""

import math
from collections.abc import Iterable, Sequence

from .measured import Figure, Spread, ToolFigures
from .results import Results

HEAD = (
    "",
    "calls",
    "times slower, wall",
    "times slower, CPU",
    "calls delivered",
    "tool's CPU per call",
)


def rendered(results: Results) -> str:
    """Write everything that was measured, and what was not and why."""
    machine = results.machine
    parts = [
        (
            f"Measured {results.measured_at[:10]}, {results.mode} run, on {machine['cpus']} CPUs "
            f"({machine['processor']}), "
            f"Linux {machine['kernel']}, Python {machine['python']}: medians, and in brackets the "
            "least and the most of all rounds. Ratios compare rounds that took turns."
        ),
        *(_tools_of(results, workload) for workload in results.workloads()),
        _table(("", "measured", "wanted"), map(_figure, results.figures)),
    ]
    if results.missing:
        parts.append("Not measured:")
        parts.append("\n".join(f"* {name}: {why}" for name, why in results.missing.items()))
    return "\n\n".join(part for part in parts if part) + "\n"


def _tools_of(results: Results, workload: str) -> str:
    rows = [one for one in results.tools if one.workload == workload]
    rows.sort(key=lambda one: one.wall_ratio.median, reverse=True)
    return _table((workload, *HEAD[1:]), map(_tool, rows))


def _tool(one: ToolFigures) -> tuple[str, ...]:
    return (
        one.tool,
        f"{one.calls:,}",
        spread(one.wall_ratio),
        spread(one.cpu_ratio),
        share(one.captured_share),
        spread(_microseconds(one.tool_ns), "µs") if one.tool_ns else "",
    )


def _microseconds(ns: Spread) -> Spread:
    return Spread(ns.median / 1000, ns.least / 1000, ns.most / 1000)


def _figure(one: Figure) -> tuple[str, ...]:
    wanted = ""
    if one.most is not None:
        wanted = f"{'at most ' if one.most else ''}{number(one.most)}"
    elif one.least is not None:
        wanted = f"at least {number(one.least)}"
    verdict = {None: "", True: "", False: " (not kept)"}[one.kept]
    unit = f" {one.unit}" if wanted and one.unit and not one.unit.startswith("/") else one.unit
    return (
        one.name.replace("  ", "… ", 1) if one.name.startswith("  ") else one.name,
        spread(one.value, one.unit),
        f"{wanted}{unit if wanted else ''}{verdict}",
    )


def spread(value: Spread, unit: str = "") -> str:
    """Write a median, and its bounds where they differ from it."""
    text = number(value.median)
    low, high = number(value.least), number(value.most)
    bounds = "" if low == text == high else f" ({low} to {high})"
    gap = "" if not unit or unit.startswith("/") else " "
    return f"{text}{gap}{unit}{bounds}"


def share(value: Spread) -> str:
    """Write a share as percent, rounded down: what is not all never looks like it."""
    text, low, high = (_percent(one) for one in (value.median, value.least, value.most))
    return f"{text} %" if low == text == high else f"{text} % ({low} to {high})"


def _percent(value: float) -> str:
    return "100" if value >= 1 else f"{math.floor(value * 10_000) / 100:.2f}"


def number(value: float) -> str:
    """Write a number with the figures that mean something."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}".removesuffix(".0")


def _table(head: Sequence[str], rows: Iterable[tuple[str, ...]]) -> str:
    cells = [tuple(head), *rows]
    if len(cells) == 1:
        return ""
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])
