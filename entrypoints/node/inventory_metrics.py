"""Prometheus metrics of what is known of pods, and of what is done to know it."""

from collections.abc import Iterator

from attrs import frozen
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ...domain.services.upkeep import Upkeep


@frozen(eq=False)
class InventoryMetrics(Collector):
    """Numbers of the inventory and of the watch, as they are when they are asked for."""

    upkeep: Upkeep

    def collect(self) -> Iterator[Metric]:
        """Yield gauges of what is known, and counters of what was done."""
        numbers, watch = self.upkeep.inventory.numbers(), self.upkeep.watch
        yield _gauge("pods", "Pods known on this node.", numbers.pods)
        yield _gauge("containers", "Containers known on this node.", numbers.containers)
        yield _gauge(
            "watch_available",
            "1 if the kernel tells who enters containers, else 0.",
            0 if watch.failure or self.upkeep.failure else 1,
        )
        yield _counter(
            "discovery_looks", "Times that pods and containers were listed.", numbers.looks
        )
        yield _counter(
            "discovery_failures", "Times that they could not be listed.", numbers.failures
        )
        yield _counter(
            "inventory_pokes", "Times that something was said to have changed.", numbers.pokes
        )
        yield _counter("watch_gaps", "Times that events of cgroups were lost.", watch.gaps)


def _gauge(name: str, meaning: str, value: int) -> Metric:
    return GaugeMetricFamily(f"container_tracer_{name}", meaning, value=value)


def _counter(name: str, meaning: str, value: int) -> Metric:
    return CounterMetricFamily(f"container_tracer_{name}", meaning, value=value)
