"""Metrics of a program's own spans: what became of them."""

from collections.abc import Iterator

from attrs import frozen
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ...domain.services.own_spans import OwnSpans


@frozen(eq=False)
class OwnSpanMetrics(Collector):
    """Counts as they are when metrics are asked for."""

    spans: OwnSpans

    def collect(self) -> Iterator[Metric]:
        """Yield what became of spans, and how many of them wait; by exporter."""
        fates = CounterMetricFamily(
            "container_tracer_own_spans",
            "Spans of this program itself that an exporter has delivered, or dropped.",
            labels=["exporter", "fate"],
        )
        pending = GaugeMetricFamily(
            "container_tracer_own_spans_pending",
            "Spans of this program itself that wait for an exporter.",
            labels=["exporter"],
        )
        for name, counts in self.spans.counts().items():
            fates.add_metric([name, "delivered"], counts.delivered)
            fates.add_metric([name, "dropped"], counts.dropped)
            pending.add_metric([name], counts.pending)
        yield fates
        yield pending
