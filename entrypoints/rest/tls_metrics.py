"""Metrics of certificates: until when they are valid, and whether new ones could be taken over."""

from collections.abc import Iterator

from attrs import frozen
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .tls import TlsUses


@frozen(eq=False)
class TlsMetrics(Collector):
    """The uses of TLS of one program, as they are when metrics are asked for."""

    uses: TlsUses

    def collect(self) -> Iterator[Metric]:
        """Yield a family each, with a time series per use."""
        left = GaugeMetricFamily(
            "container_tracer_tls_certificate_expires_seconds",
            "Time until the certificate in use expires; negative if it has.",
            labels=["use"],
        )
        failed = GaugeMetricFamily(
            "container_tracer_tls_reload_failed",
            "1 if the files as they are now cannot be used and former ones are kept, else 0.",
            labels=["use"],
        )
        refused = CounterMetricFamily(
            "container_tracer_tls_handshakes_failed",
            "Connections that came to nothing, such as for want of a certificate that is trusted.",
            labels=["use"],
        )
        for one in self.uses:
            if one.seconds_left is not None:
                left.add_metric([one.use], one.seconds_left)
            failed.add_metric([one.use], int(bool(one.failure)))
            refused.add_metric([one.use], one.refused.total())
        yield left
        yield failed
        yield refused
