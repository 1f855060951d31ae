"""Rounds of all tools, taking turns, each turn beside an untraced round of its own."""

from collections.abc import Callable, Sequence

from attrs import define, field, frozen

from .measured import Round, Spent, ToolFigures, figures_of
from .peers.peer import Bench, Tool
from .processes import NotRun
from .workload import Shape, running


@frozen
class Extent:
    """How much is measured: rounds, and calls in a round for light and for heavy tools."""

    rounds: int
    calls: int
    heavy_calls: int


@define
class Comparison:
    """What was measured, and, for what was not, why."""

    figures: list[ToolFigures] = field(factory=list)
    missing: dict[str, str] = field(factory=dict)


def compare(
    bench: Bench,
    tools: Sequence[Tool],
    shape: Shape,
    *,
    extent: Extent,
    told: Callable[[str], None],
) -> Comparison:
    """Measure tools at one shape; one that fails is left out from then on, and said why."""
    comparison = Comparison()
    rounds: dict[str, list[Round]] = {tool.name: [] for tool in tools}
    untraced: dict[str, list[tuple[int, Spent]]] = {tool.name: [] for tool in tools}
    for turn in range(extent.rounds):
        told(f"{shape.name}: round {turn + 1} of {extent.rounds}")
        with running(bench.program, shape) as workload:
            plain = (extent.calls, workload.calls(extent.calls))
        for tool in tools:
            if tool.name in comparison.missing:
                continue
            calls = extent.heavy_calls if tool.heavy else extent.calls
            try:
                rounds[tool.name].append(tool.measure(shape, calls))
                untraced[tool.name].append(plain)
            except (NotRun, SystemExit) as reason:
                comparison.missing[tool.name] = str(reason)
    comparison.figures = [
        figures_of(shape.name, name, rounds=measured, untraced=untraced[name])
        for name, measured in rounds.items()
        if measured
    ]
    return comparison
