"""Metrics of a program's own spans: what became of them."""

from collections.abc import Iterator

from attrs import frozen
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from ...domain.services.own_spans import OwnSpans


@frozen(eq=False)
class OwnSpanMetrics(Collector):
    """Counts as they are when metrics are asked for."""

    spans: OwnSpans

    def collect(self) -> Iterator[Metric]:
        """Yield a family with two time series per exporter."""
        family = CounterMetricFamily(
            "container_tracer_own_spans",
            "Spans of this program itself that an exporter has delivered, or dropped.",
            labels=["exporter", "fate"],
        )
        for name, (delivered, dropped) in self.spans.counts().items():
            family.add_metric([name, "delivered"], delivered)
            family.add_metric([name, "dropped"], dropped)
        yield family
