"""Prometheus metrics of every role: its requests, its version, and what it has itself."""

from collections.abc import Awaitable, Callable, Iterable, Iterator

from attrs import define, field
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from ... import __version__

CONTENT_TYPE: str = CONTENT_TYPE_PLAIN_0_0_4

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


class _Build(Collector):
    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily(
            "container_tracer_build_info", "Always 1; the version is the label.", labels=["version"]
        )
        build.add_metric([__version__], 1)
        yield build


@define
class Metrics:
    """The metrics of one application: those of its requests in a registry of its own.

    `snapshot` is called each time they are asked for, and gives what the role has then;
    `collectors` are asked themselves. Labels never hold what a client made up: an unknown path
    or method would otherwise become a time series that stays for ever.
    """

    snapshot: Callable[[], Awaitable[Collector]] | None = None
    collectors: Iterable[Collector] = ()
    _registry: CollectorRegistry = field(init=False, factory=CollectorRegistry)
    _requests: Counter = field(init=False)
    _durations: Histogram = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Register the metrics of requests, and what the role has."""
        for collector in (_Build(), *self.collectors):
            self._registry.register(collector)
        self._requests = Counter(
            "container_tracer_http_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._durations = Histogram(
            "container_tracer_http_request_duration_seconds",
            "Time from a request's body to its answer.",
            ["method", "route"],
            registry=self._registry,
        )

    def observe(self, method: str, route: str, *, status: int, seconds: float) -> None:
        """Count a request that was answered; `route` is a path template, or empty."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._durations.labels(method, route).observe(seconds)

    async def render(self) -> bytes:
        """Write everything, as it is now, in Prometheus' text format."""
        now = generate_latest(await self.snapshot()) if self.snapshot else b""
        return now + generate_latest(self._registry)
