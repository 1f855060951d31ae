"""Metrics of who is let in: whether the file of tokens can be used as it is now."""

from collections.abc import Iterator

from attrs import frozen
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ...adapters.tokens.access_control import TokenFileAccessControl
from ...ports.access_control import AccessControl


@frozen(eq=False)
class AccessMetrics(Collector):
    """How access is decided, as it is when metrics are asked for."""

    access: AccessControl

    def collect(self) -> Iterator[Metric]:
        """Yield a family if there is a file; it has failed to be read if a request found so."""
        if isinstance(self.access, TokenFileAccessControl):
            yield GaugeMetricFamily(
                "container_tracer_token_file_usable",
                "0 if the file of tokens cannot be used now, and former ones count, else 1.",
                value=int(not self.access.file.failure),
            )
