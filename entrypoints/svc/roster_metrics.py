"""Prometheus metrics of the nodes svc knows, and of how well it knows them."""

from collections.abc import Iterator

from attrs import frozen
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ...domain.services.node_roster import NodeRoster


@frozen(eq=False)
class RosterMetrics(Collector):
    """Numbers of the roster, as they are when they are asked for."""

    roster: NodeRoster

    def collect(self) -> Iterator[Metric]:
        """Yield gauges of what is known, and counters of what was done to know it."""
        state, age = self.roster.state, self.roster.age_seconds()
        nodes = GaugeMetricFamily(
            "container_tracer_nodes",
            "Nodes with a tracer, by whether it can be asked.",
            labels=["ready"],
        )
        nodes.add_metric(["true"], len(state.nodes.ready))
        nodes.add_metric(["false"], len(state.nodes.unready))
        yield nodes
        yield GaugeMetricFamily(
            "container_tracer_nodes_fresh",
            "1 if the nodes could be listed the last time, else 0.",
            value=0 if self.roster.stale() else 1,
        )
        yield GaugeMetricFamily(
            "container_tracer_nodes_age_seconds",
            "How long ago the nodes were known to be just these; -1 if they never were.",
            value=-1 if age is None else age,
        )
        yield GaugeMetricFamily(
            "container_tracer_nodes_watched",
            "1 if changes of nodes are told as they happen, else 0.",
            value=1 if age is not None and not state.watch_failure else 0,
        )
        yield _counter("node_lists", "Times that nodes were listed.", state.lists)
        yield _counter("node_watches", "Times that watching nodes was begun.", state.watches)
        yield _counter("node_changes", "Times that the nodes had changed.", state.changes)
        yield _counter(
            "node_discovery_failures",
            "Times that nodes could not be listed or watched.",
            state.failures,
        )


def _counter(name: str, meaning: str, value: int) -> Metric:
    return CounterMetricFamily(f"container_tracer_{name}", meaning, value=value)
