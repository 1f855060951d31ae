"""The Jaeger collector that is looked for: where it is now, though it may move or be absent."""

from collections.abc import Callable, Sequence
from contextlib import aclosing

import structlog
from attrs import define

from ...ports.clock import Clock
from ...ports.collector_directory import CollectorDirectory
from ...ports.errors import ClusterUnavailable, DiscoveryFailed, ExportDelayed
from ..model.collector_services import PORT, SERVICE, CollectorService, CollectorServices
from .backoff import CAP_SECONDS, Backoff

ABSENT = f"jaeger: no namespace has a service {SERVICE} with port {PORT}"

_log = structlog.get_logger()


@define(kw_only=True, eq=False)
class FoundCollector:
    """Follows the services for collectors from `run` on, until that is cancelled.

    While they cannot be followed, the collector that was known stays. `services` is None before
    they are known, `failure` says why they are not.
    """

    directory: CollectorDirectory
    clock: Clock
    backoff: Callable[[], Backoff] = Backoff
    services: Sequence[CollectorService] | None = None
    failure: str = ""

    def url(self) -> str:
        """Return where spans go now; raise `ExportDelayed` if there is no collector."""
        if self.services:
            return self.services[0].url
        if self.services is None:
            why = self.failure or "the services of the cluster are not known yet"
            raise ExportDelayed(f"jaeger: {SERVICE} is being looked for: {why.rstrip('.')}")
        raise ExportDelayed(ABSENT)

    async def run(self) -> None:
        """Look for it, until cancelled."""
        backoff = self.backoff()
        while True:
            await self.clock.sleep(await self.follow(backoff))

    async def follow(self, backoff: Backoff) -> float:
        """Take in changes until they cannot be had; return how many seconds to wait then.

        Pauses are short again only after changes were followed for long: each beginning is a list.
        """
        began = self.clock.trace_ns()
        try:
            async with aclosing(self.directory.changes()) as changes:
                async for found in changes:
                    self._take(found)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the search
            self._fail(error)
            if self.clock.trace_ns() - began > CAP_SECONDS * 1e9:
                backoff.reset()
            asked = error.retry_after_seconds if isinstance(error, ClusterUnavailable) else 0.0
            return max(backoff.seconds(), asked)
        return backoff.seconds()

    def _take(self, found: CollectorServices) -> None:
        before, self.services = self.services, found.in_order
        if self.failure:
            _log.info("jaeger.search_recovered")
        self.failure = ""
        if not self.services:
            _log.warning("jaeger.absent", service=SERVICE, port=PORT)
        elif not before or before[0] != self.services[0]:
            chosen, *others = self.services
            _log.info(
                "jaeger.found",
                namespace=chosen.namespace,
                url=chosen.url,
                also_in=[one.namespace for one in others],
            )

    def _fail(self, error: Exception) -> None:
        self.failure = str(error) or type(error).__name__
        if isinstance(error, DiscoveryFailed):
            _log.warning("jaeger.search_failed", error=self.failure)
        else:
            _log.error("jaeger.search_failed", error=self.failure, exc_info=error)
