"""Prometheus metrics of virtual machines that send spans: who is heard, and what became of it."""

from collections.abc import Iterator

from attrs import frozen
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ...domain.model.guests.connection_stats import GuestEnd
from ...domain.services.guests.forwarder import SpanForwarder


@frozen(eq=False)
class GuestMetrics(Collector):
    """Numbers as they are when they are asked for; none where nobody is heard."""

    forwarder: SpanForwarder | None

    def collect(self) -> Iterator[Metric]:
        """Yield gauges of what is there, and counters of what became of all that came."""
        if self.forwarder is not None:
            yield from _of_connections(self.forwarder)
            yield from _of_frames(self.forwarder)
            yield from _of_spans(self.forwarder)


def _of_connections(forwarder: SpanForwarder) -> Iterator[Metric]:
    reception = forwarder.reception
    stats, ways = reception.stats, reception.connections
    yield _gauge("places", "Sockets at which guests are heard.", len(ways.listening()))
    troubles = len(ways.troubles()) + bool(reception.failure)
    yield _gauge("troubles", "Ways in which guests cannot be heard.", troubles)
    yield _gauge("connections", "Connections of guests.", stats.open)
    yield _counter("refused_connections", "Connections that were too many.", stats.refused)
    yield _counter("received_bytes", "Bytes that guests sent.", stats.received_bytes)
    ended = CounterMetricFamily(
        "container_tracer_guest_ended_connections",
        "Connections of guests that are over, by why.",
        labels=["end"],
    )
    for end in GuestEnd:
        ended.add_metric([end.value], stats.ends[end])
    yield ended


def _of_frames(forwarder: SpanForwarder) -> Iterator[Metric]:
    stats = forwarder.spans.stats
    yield _counter("frames", "Frames that guests began to send.", stats.frames)
    malformed = CounterMetricFamily(
        "container_tracer_guest_malformed_frames",
        "Frames of guests that are no spans, by why.",
        labels=["reason"],
    )
    for reason, count in sorted(stats.malformed.items()):
        malformed.add_metric([str(reason)], count)
    yield malformed
    yield _counter("sampled_out_spans", "Spans of guests left out as sampled.", stats.sampled_out)
    yield _counter("spans", "Spans of guests that were kept.", stats.spans)
    yield _counter(
        "unattributed_spans",
        "Of these, spans of guests whose pod is not known.",
        stats.unattributed,
    )
    yield _counter(
        "synthetic_spans", "Spans made in place of those that never came.", stats.synthetic
    )


def _of_spans(forwarder: SpanForwarder) -> Iterator[Metric]:
    fates = CounterMetricFamily(
        "container_tracer_guest_exported_spans",
        "Spans of guests, synthetic ones too, that an exporter has delivered, or dropped.",
        labels=["exporter", "fate"],
    )
    pending = GaugeMetricFamily(
        "container_tracer_guest_pending_spans",
        "Spans of guests that wait for an exporter.",
        labels=["exporter"],
    )
    for name, counts in forwarder.spans.counts.items():
        fates.add_metric([name, "delivered"], counts.delivered)
        fates.add_metric([name, "dropped"], counts.dropped)
        pending.add_metric([name], counts.pending)
    yield fates
    yield pending


def _gauge(name: str, meaning: str, value: int) -> Metric:
    return GaugeMetricFamily(f"container_tracer_guest_{name}", meaning, value=value)


def _counter(name: str, meaning: str, value: int) -> Metric:
    return CounterMetricFamily(f"container_tracer_guest_{name}", meaning, value=value)
