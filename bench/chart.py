"""A picture of what tools cost a workload, and what they cost themselves."""

import math
from collections.abc import Callable, Iterator
from html import escape

from attrs import frozen

from .measured import Spread, ToolFigures
from .results import Results
from .table import number, share

OURS = "container-tracer"
WIDTH, ROW, TOP, LABELS, PANEL, GAP = 880, 27, 92, 250, 244, 72
STYLE = """
    .paper { fill: #f7f8fa; stroke: #c9ced6; }
    .peer { fill: #aeb6c2; }
    .ours { fill: #1769c2; }
    .grid { stroke: #dde1e7; stroke-width: 1; }
    text { fill: #1f2530; }
    .soft { fill: #5a6473; font-size: 12px; }
    .head { font-weight: 600; }
    @media (prefers-color-scheme: dark) {
      .paper { fill: #171b21; stroke: #3a424e; }
      .peer { fill: #5d6877; }
      .ours { fill: #5aa9f5; }
      .grid { stroke: #2b323c; }
      text { fill: #e8ecf2; }
      .soft { fill: #a3afbf; }
    }
"""


@frozen
class Panel:
    """A column of bars: what they show, from where, and over which powers of ten."""

    left: int
    title: str
    value: Callable[[ToolFigures], float | None]
    label: Callable[[ToolFigures], str]
    first_power: int
    last_power: int

    def width(self, value: float) -> float:
        """How long the bar of a value is."""
        reach = (math.log10(value) - self.first_power) / (self.last_power - self.first_power)
        return PANEL * min(1.0, max(0.01, reach))


def drawn(results: Results, workload: str) -> str:
    """Draw the tools at a workload, the dearest first, as a picture in SVG."""
    rows = [one for one in results.tools if one.workload == workload]
    rows.sort(key=lambda one: one.wall_ratio.median, reverse=True)
    height = TOP + ROW * len(rows) + 40
    panels = (
        Panel(
            LABELS, "workload, times slower than untraced",
            lambda one: one.wall_ratio.median, lambda one: f"{number(one.wall_ratio.median)} x",
            *_powers([one.wall_ratio.median for one in rows]),
        ),
        Panel(
            LABELS + PANEL + GAP, "the tool's own CPU per call",
            lambda one: one.tool_ns.median if one.tool_ns else None, _cost,
            *_powers([one.tool_ns.median for one in rows if one.tool_ns]),
        ),
    )  # fmt: skip
    body = "\n".join(_body(rows, panels, workload, height))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="system-ui, -apple-system, \'Segoe UI\', sans-serif" font-size="14" '
        'role="img" aria-labelledby="title text">\n'
        '  <title id="title">What tracing costs, by tool</title>\n'
        f'  <desc id="text">{escape(_described(rows, workload))}</desc>\n'
        f"  <style>{STYLE}  </style>\n{body}\n</svg>\n"
    )


def _powers(values: list[float]) -> tuple[int, int]:
    shown = [value for value in values if value > 0] or [1.0]
    low, high = math.floor(math.log10(min(shown))), math.ceil(math.log10(max(shown)))
    return low, max(high, low + 1)


def _cost(one: ToolFigures) -> str:
    if one.tool_ns is None:
        return ""
    ns = one.tool_ns.median
    return f"{number(ns / 1000)} µs" if ns >= 1000 else f"{number(ns)} ns"


def _described(rows: list[ToolFigures], workload: str) -> str:
    each = (f"{one.tool} {number(one.wall_ratio.median)} times, {_cost(one)}" for one in rows)
    return f"{workload}. Times slower, and the tool's CPU per call: {'; '.join(each)}."


def _body(
    rows: list[ToolFigures], panels: tuple[Panel, ...], workload: str, height: int
) -> Iterator[str]:
    bottom = TOP + ROW * len(rows)
    yield f'  <rect class="paper" x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" rx="10"/>'
    yield f'  <text class="head" x="24" y="34">What tracing costs: {escape(workload)}</text>'
    yield '  <text class="soft" x="24" y="54">shorter is better; both scales are logarithmic</text>'
    for panel in panels:
        yield f'  <text class="head" x="{panel.left}" y="{TOP - 12}">{panel.title}</text>'
        yield from _grid(panel, bottom)
    for index, one in enumerate(rows):
        yield from _row(one, panels, TOP + ROW * index)
    yield f'  <text class="soft" x="24" y="{bottom + 26}">{escape(_footnote(rows))}</text>'


def _footnote(rows: list[ToolFigures]) -> str:
    partial = [one for one in rows if one.captured_share.median < 1]
    told = ", ".join(
        f"{one.tool} {share(Spread.of([one.captured_share.median]))}" for one in partial
    )
    return f"Every tool delivered every call{f', but for {told}' if told else ''}."


def _grid(panel: Panel, bottom: int) -> Iterator[str]:
    for power in range(panel.first_power, panel.last_power + 1):
        x = panel.left + panel.width(10.0**power) if power > panel.first_power else panel.left
        yield f'  <path class="grid" d="M{x:.0f} {TOP - 4}V{bottom}"/>'


def _row(one: ToolFigures, panels: tuple[Panel, ...], top: int) -> Iterator[str]:
    kind = "ours" if one.tool.startswith(OURS) else "peer"
    weight = ' class="head"' if kind == "ours" else ""
    middle = top + ROW * 0.66
    yield f'  <text{weight} x="24" y="{middle:.0f}">{escape(one.tool)}</text>'
    for panel in panels:
        value = panel.value(one)
        if value is None or value <= 0:
            continue
        width = panel.width(value)
        yield (
            f'  <rect class="{kind}" x="{panel.left}" y="{top + 5}" width="{width:.0f}" '
            f'height="{ROW - 10}" rx="2"/>'
        )
        yield (
            f'  <text class="soft" x="{panel.left + width + 6:.0f}" y="{middle:.0f}">'
            f"{escape(panel.label(one))}</text>"
        )
