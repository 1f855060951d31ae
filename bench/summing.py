"""Figures that follow from comparing tools."""

from .measured import Figure, Spread, ToolFigures
from .results import Results

OURS, USUAL = "container-tracer, OTLP", "OpenTelemetry SDK, from text"


def derived(results: Results) -> list[Figure]:
    """How much less CPU a span in a collector costs than by the usual way, workload by workload."""
    figures = []
    for workload in results.workloads():
        ours, usual = results.of(workload, OURS), results.of(workload, USUAL)
        if ours and usual and ours.tool_ns and usual.tool_ns:
            name = f"CPU per span in a collector, SDK / ours: {workload}"
            figures.append(Figure(name, _ratio(usual, ours), "times", least=50))
    return figures


def _ratio(one: ToolFigures, other: ToolFigures) -> Spread:
    """Compare medians; the bounds are the most cautious there are."""
    if one.tool_ns is None or other.tool_ns is None:
        raise ValueError("a tool that delivered nothing cannot be compared")
    return Spread(
        one.tool_ns.median / other.tool_ns.median,
        one.tool_ns.least / other.tool_ns.most,
        one.tool_ns.most / other.tool_ns.least,
    )
