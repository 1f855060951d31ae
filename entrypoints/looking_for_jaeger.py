"""Jaeger is looked for as long as a program serves, if it is told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..domain.services.found_collector import FoundCollector
from ..ports.clock import Clock
from .export_settings import ExportSettings
from .jaeger_settings import AUTO


def found_collector(
    settings: ExportSettings, clock: Clock, *, kubeconfig: str = ""
) -> FoundCollector | None:
    """Make what looks for a collector in Kubernetes; None if nobody wants that."""
    if settings.jaeger_url != AUTO:
        return None
    # Its library takes 11 MB.
    from ..adapters.kubernetes.collector_directory import KubernetesCollectorDirectory  # noqa: PLC0415
    from ..adapters.kubernetes.settings import KubernetesSettings  # noqa: PLC0415

    directory = KubernetesCollectorDirectory(settings=KubernetesSettings(kubeconfig=kubeconfig))
    return FoundCollector(directory=directory, clock=clock)


@asynccontextmanager
async def looking_for_jaeger(collector: FoundCollector | None) -> AsyncIterator[None]:
    """Look for it in the block. Should that end by itself, the block is cancelled."""
    if collector is None:
        yield
        return
    try:
        async with asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(collector.run(), name="look for Jaeger")
            yield
            looking.cancel()
    finally:
        await collector.directory.close()
