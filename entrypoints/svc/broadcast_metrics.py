"""Prometheus metrics of what svc asked nodes."""

from collections.abc import Iterator

from attrs import frozen
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from ...domain.model.node_reply import Outcome
from ...domain.services.broadcast import Broadcast


@frozen(eq=False)
class BroadcastMetrics(Collector):
    """Numbers of all requests to nodes so far."""

    broadcast: Broadcast

    def collect(self) -> Iterator[Metric]:
        """Yield how many there were, by what came of them."""
        requests = CounterMetricFamily(
            "container_tracer_node_requests",
            "Requests to nodes, by what came of them; streams are not among them.",
            labels=["outcome"],
        )
        for outcome in Outcome:
            requests.add_metric([outcome.value], self.broadcast.outcomes[outcome])
        yield requests
