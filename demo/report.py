"""What a person wants to see of a trace."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from attrs import define, field

from .node import Json

SHOWN = 14
_ROW = "  {:<18}{:>8}{:>8}{:>10}{:>10}{:>10}"


@define
class CallSummary:
    """All calls of one name. Durations are in nanoseconds."""

    failures: int = 0
    durations: list[int] = field(factory=list)

    def percentile(self, percent: int) -> int:
        """Return the duration that so many percent of the calls do not exceed."""
        ordered = sorted(self.durations)
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def summarise(trace: Path, container: str) -> dict[str, CallSummary]:
    """Read a file of JSON lines; spans of one container by the name of the call."""
    summaries: defaultdict[str, CallSummary] = defaultdict(CallSummary)
    with trace.open() as lines:
        for span in map(json.loads, lines):
            if span["container_id"] != container:
                raise SystemExit(f"demo: a span of another container was traced: {span}")
            if "incomplete" in span:
                continue
            summaries[span["name"]].durations.append(span["duration_ns"])
            summaries[span["name"]].failures += "error" in span
    return dict(summaries)


def call_table(summaries: Mapping[str, CallSummary]) -> Iterable[str]:
    """Lay the most frequent calls out for a terminal."""
    columns = ("system call", "calls", "errors", "p50 us", "p99 us", "total ms")
    yield _ROW.format(*columns)
    frequent = sorted(summaries.items(), key=lambda item: -len(item[1].durations))
    for name, one in frequent[:SHOWN]:
        times = (one.percentile(50) / 1e3, one.percentile(99) / 1e3, sum(one.durations) / 1e6)
        shown = (f"{value:.1f}" for value in times)
        yield _ROW.format(name, len(one.durations), one.failures, *shown)
    if len(frequent) > SHOWN:
        yield f"  and {len(frequent) - SHOWN} more"


def identity_lines(statistics: Json) -> Iterable[str]:
    """Show where every event went."""
    source = statistics["Source"]
    yield "  of the kernel's buffer, in events:"
    yield (
        "    {Recorded} recorded = {Attributed} attributed + {Unattributed} unattributed"
        " + {Lost} lost + {Malformed} malformed + {Pending} pending"
    ).format_map(source)
    yield "  of the session, in events:"
    for name, one in statistics["Exporters"].items():
        yield (
            f"    {statistics['Attributed']} attributed = {statistics['FilteredOut']} filtered out"
            f" + {statistics['SampledOut']} sampled out + {one['Delivered']} delivered"
            f" + {one['Dropped']} dropped + {one['Pending']} pending   ({name})"
        )


def identity_faults(statistics: Json) -> Iterable[str]:
    """Name every identity that does not hold to the unit."""
    source = statistics["Source"]
    parts = ("Attributed", "Unattributed", "Lost", "Malformed", "Pending")
    if source["Recorded"] != sum(source[part] for part in parts):
        yield f"the source's events do not add up: {source}"
    for name, one in statistics["Exporters"].items():
        out = statistics["FilteredOut"] + statistics["SampledOut"]
        if statistics["Attributed"] != out + sum(
            one[k] for k in ("Delivered", "Dropped", "Pending")
        ):
            yield f"the session's events do not add up for {name}: {statistics}"


def count_faults(
    summaries: Mapping[str, CallSummary], expected: Mapping[str, tuple[int, int]]
) -> Iterable[str]:
    """Name every known call that was not traced exactly as often as it was made."""
    for name, (calls, failures) in expected.items():
        one = summaries.get(name, CallSummary())
        if (len(one.durations), one.failures) != (calls, failures):
            yield (
                f"{name}: {calls} calls were made and {failures} failed, but"
                f" {len(one.durations)} were traced and {one.failures} of them failed"
            )
