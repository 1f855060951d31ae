"""Values that are measured: several rounds of a thing, and what they say together."""

import statistics
from collections.abc import Sequence

from attrs import frozen


@frozen
class Spent:
    """What a round of the workload took, in nanoseconds; of several CPUs, `cpu_ns` is the sum."""

    wall_ns: int
    cpu_ns: int


@frozen
class Spread:
    """The median of several rounds, and how far they lie apart."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Summarise rounds, at least one."""
        return cls(statistics.median(values), min(values), max(values))


@frozen(kw_only=True)
class Round:
    """What one tool did in one round.

    - `calls`: how many were made
    - `spent`: by the workload
    - `captured`: how many calls the tool delivered, whole
    - `lost`: how many events it says itself it lost or dropped; None if it does not say
    - `tool_cpu_ns`: its processes' CPU time, without starting
    """

    calls: int
    spent: Spent
    captured: int
    lost: int | None
    tool_cpu_ns: int


@frozen(kw_only=True)
class ToolFigures:
    """What the rounds of a tool say, against the untraced rounds they took turns with.

    - `wall_ratio`, `cpu_ratio`: how many times slower the workload was
    - `captured_share`: 0 to 1
    - `tool_ns`: the tool's CPU per call it delivered; None if it delivered none
    - `lost`: events it reported as lost, of all rounds; None if it does not report any
    """

    workload: str
    tool: str
    calls: int
    wall_ratio: Spread
    cpu_ratio: Spread
    captured_share: Spread
    tool_ns: Spread | None
    lost: int | None


@frozen
class Figure:
    """A number that was measured, and what is wanted of it.

    `most` or `least` is the bound that is wanted, None where none is.
    """

    name: str
    value: Spread
    unit: str = ""
    most: float | None = None
    least: float | None = None

    @property
    def kept(self) -> bool | None:
        """Whether it is as wanted; None if nothing is wanted."""
        if self.most is not None:
            return self.value.median <= self.most
        if self.least is not None:
            return self.value.median >= self.least
        return None


def figures_of(
    workload: str, tool: str, *, rounds: Sequence[Round], untraced: Sequence[tuple[int, Spent]]
) -> ToolFigures:
    """Compare rounds with the untraced ones of the same turns, call by call.

    `untraced` holds the calls made and what they took, in the order of `rounds`.
    """
    pairs = list(zip(rounds, untraced, strict=True))
    spent = [one.tool_cpu_ns / one.captured for one in rounds if one.captured]
    lost = [one.lost for one in rounds if one.lost is not None]
    return ToolFigures(
        workload=workload,
        tool=tool,
        calls=rounds[0].calls,
        wall_ratio=Spread.of(
            [one.spent.wall_ns / one.calls * n / plain.wall_ns for one, (n, plain) in pairs]
        ),
        cpu_ratio=Spread.of(
            [one.spent.cpu_ns / one.calls * n / plain.cpu_ns for one, (n, plain) in pairs]
        ),
        captured_share=Spread.of([min(1.0, one.captured / one.calls) for one in rounds]),
        tool_ns=Spread.of(spent) if spent else None,
        lost=sum(lost) if lost else None,
    )
