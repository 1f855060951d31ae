"""Prometheus metrics of the node: what became of events, sessions by state, the inventory."""

from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from attrs import frozen
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ...domain.model.discovery_choice import DiscoveryChoice
from ...domain.model.session import SessionState, TraceSession
from ...domain.model.stats import SourceStats
from ..rest.metrics import Metrics

_FATES = ("attributed", "unattributed", "lost", "malformed")


class Measured(Protocol):
    """What is looked at each time metrics are asked for."""

    async def sources(self) -> Mapping[str, SourceStats]:
        """Return the balance of every live source, by name."""

    def unavailable(self) -> str:
        """Say why the kernel cannot be traced, or return the empty string."""

    def watchers(self) -> tuple[int, int]:
        """Count those who watch, and the spans they lost."""

    # Last, because inside this class `list` now means the method.
    def list(self) -> Sequence[TraceSession]:
        """Return all sessions."""


@frozen(kw_only=True, eq=False)
class Snapshot(Collector):
    """Numbers as they were when metrics were asked for; `reason` says why nothing can be traced."""

    sources: Mapping[str, SourceStats]
    sessions: Sequence[TraceSession]
    reason: str = ""
    discovery: str = ""
    watchers: int = 0
    watcher_drops: int = 0

    def collect(self) -> Iterator[Metric]:
        """Yield the families of sources, sessions and the kernel."""
        yield _recorded(self.sources)
        yield _fates(self.sources)
        yield _pending(self.sources)
        yield _sessions(self.sessions)
        yield GaugeMetricFamily(
            "container_tracer_tracing_available",
            "1 if the kernel can be traced, else 0.",
            value=0 if self.reason else 1,
        )
        yield GaugeMetricFamily(
            "container_tracer_discovery_cri",
            "1 if a container runtime is asked for containers, 0 if procfs is searched for them.",
            value=int(self.discovery == "cri"),
        )
        yield GaugeMetricFamily(
            "container_tracer_watchers",
            "Clients that watch the spans of a session as they come.",
            value=self.watchers,
        )
        yield CounterMetricFamily(
            "container_tracer_watcher_dropped_spans",
            "Spans that clients were not shown because they, or this program, were too slow.",
            value=self.watcher_drops,
        )


def _recorded(sources: Mapping[str, SourceStats]) -> Metric:
    family = CounterMetricFamily(
        "container_tracer_source_recorded_events",
        "Events the kernel recorded for a source.",
        labels=["source"],
    )
    for name, stats in sources.items():
        family.add_metric([name], stats.recorded)
    return family


def _fates(sources: Mapping[str, SourceStats]) -> Metric:
    family = CounterMetricFamily(
        "container_tracer_source_events",
        "What became of the events of a source; with the pending ones they add up to recorded.",
        labels=["source", "fate"],
    )
    for name, stats in sources.items():
        for fate in _FATES:
            family.add_metric([name, fate], getattr(stats, fate))
    return family


def _pending(sources: Mapping[str, SourceStats]) -> Metric:
    family = GaugeMetricFamily(
        "container_tracer_source_pending_events",
        "Events recorded for a source that nobody has looked at yet.",
        labels=["source"],
    )
    for name, stats in sources.items():
        family.add_metric([name], stats.pending)
    return family


def _sessions(sessions: Sequence[TraceSession]) -> Metric:
    family = GaugeMetricFamily(
        "container_tracer_sessions", "Trace sessions by state.", labels=["state"]
    )
    tally = Tally(session.state for session in sessions)
    for state in SessionState:
        family.add_metric([state.value], tally[state])
    return family


def node_metrics(
    measured: Measured,
    choice: Callable[[], DiscoveryChoice],
    collectors: Sequence[Collector] = (),
) -> Metrics:
    """Make the metrics of a node, and those that others collect."""

    async def snapshot() -> Collector:
        watchers, watcher_drops = measured.watchers()
        return Snapshot(
            sources=await measured.sources(),
            sessions=measured.list(),
            reason=measured.unavailable(),
            discovery=choice().name,
            watchers=watchers,
            watcher_drops=watcher_drops,
        )

    return Metrics(snapshot, collectors)
