"""Some of the drains of a source are spans: there are ten a second, and most are alike."""

from attrs import define, field

from .own_spans import OwnSpans
from .pipeline import DrainReport
from .sparing import Sparing

SLOW_NS = 100_000_000
"""A drain that takes so long is told in any case: as long as events gather for the next one."""


@define(kw_only=True, eq=False)
class DrainSpans:
    """Those of one source: one now and then, and every one that was slow or found losses."""

    spans: OwnSpans
    source: str
    _sparing: Sparing = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Tell of the first."""
        self._sparing = Sparing(clock=self.spans.clock)

    def now_ns(self) -> int:
        """Say when a drain begins."""
        return self.spans.clock.wall_ns()

    def note(self, report: DrainReport, began_ns: int) -> None:
        """Have a span of a drain that is over, if it is one to tell of."""
        slow = self.now_ns() - began_ns >= SLOW_NS
        if not self._sparing.tells(remarkable=slow or report.losses > 0):
            return
        self.spans.record(
            "drain",
            started_ns=began_ns,
            attributes={
                "container_tracer.source": self.source,
                "container_tracer.events": report.events,
                "container_tracer.spans": sum(map(len, report.spans.values())),
                "container_tracer.sessions": len(report.spans),
                "container_tracer.losses": report.losses,
                "container_tracer.more": report.more,
            },
        )
