"""Figures that follow from comparing tools."""

from .measured import Figure, Spread
from .results import Results

OURS, USUAL = "container-tracer, OTLP", "OpenTelemetry SDK, from text"
COUNTED = "container-tracer, summary"
ENCODED = "spans encoded as OTLP, one core, "


def derived(results: Results) -> list[Figure]:
    """How much less CPU a span costs than by the usual way, workload by workload.

    Once with everything up to the collector, and once decoded, paired and encoded only, which is
    what the node spends on counting, and on encoding as measured by itself.
    """
    figures = []
    for workload in results.workloads():
        usual = _cost(results, workload, USUAL)
        if usual and (ours := _cost(results, workload, OURS)):
            name = f"CPU per span in a collector, SDK / ours: {workload}"
            figures.append(Figure(name, _ratio(usual, ours), "times"))
        encoding = _encoding(results, workload.partition(",")[0])
        if usual and encoding and (counting := _cost(results, workload, COUNTED)):
            name = f"  decoded, paired and encoded only: {workload}"
            figures.append(Figure(name, _ratio(usual, _sum(counting, encoding)), "times", least=50))
    return figures


def _cost(results: Results, workload: str, tool: str) -> Spread | None:
    """Return a tool's nanoseconds per call, if it delivered any."""
    figures = results.of(workload, tool)
    return figures.tool_ns if figures else None


def _encoding(results: Results, calls: str) -> Spread | None:
    """Return nanoseconds per span encoded, if that was measured in millions a second."""
    for figure in results.figures:
        if figure.name == f"{ENCODED}{calls}":
            rate = figure.value
            return Spread(1e3 / rate.median, 1e3 / rate.most, 1e3 / rate.least)
    return None


def _sum(one: Spread, other: Spread) -> Spread:
    return Spread(one.median + other.median, one.least + other.least, one.most + other.most)


def _ratio(one: Spread, other: Spread) -> Spread:
    """Compare medians; the bounds are the most cautious there are."""
    return Spread(one.median / other.median, one.least / other.most, one.most / other.least)
