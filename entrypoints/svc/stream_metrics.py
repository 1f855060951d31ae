"""Prometheus metrics of the streams of events that svc merges."""

from collections.abc import Iterator

from attrs import frozen
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ...domain.services.merged_events import MergedStreams


@frozen(eq=False)
class StreamMetrics(Collector):
    """Numbers of the streams that are open when they are asked for."""

    streams: MergedStreams

    def collect(self) -> Iterator[Metric]:
        """Yield how many clients watch, and how many nodes are listened to for them."""
        yield GaugeMetricFamily(
            "container_tracer_watchers", "Clients that watch.", value=self.streams.watchers
        )
        yield GaugeMetricFamily(
            "container_tracer_watched_nodes",
            "Streams of nodes that are read for those who watch.",
            value=self.streams.legs,
        )
