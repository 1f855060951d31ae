"""The endless loop of a source: wait for events, let some gather, drain."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

import structlog
from attrs import define, field

from ...ports.clock import Clock
from .pipeline import DrainReport, TracePipeline

BUSY_GATHER_SECONDS = 0.02
"""How long events gather before a drain: a buffer of 8 MiB fills in 45 ms at the very least."""

QUIET_GATHER_SECONDS = 0.04
QUIET_EVENTS = 1000
"""After a drain of fewer events than this, they may gather longer: each drain has its price."""

_log = structlog.get_logger()


@define(kw_only=True, eq=False)
class SourceRunner:
    """Drains a source as long as it lives. `lock` is held while anybody uses the pipeline."""

    pipeline: TracePipeline
    clock: Clock
    executor: Executor
    deliver: Callable[[DrainReport], None]
    lock: asyncio.Lock = field(factory=asyncio.Lock)
    _quiet: bool = True

    async def run(self) -> None:
        """Drain again and again, until cancelled."""
        while True:
            await self.step()

    async def step(self) -> None:
        """Wait for events and drain them."""
        await self.pipeline.source.wait()
        await self.clock.sleep(QUIET_GATHER_SECONDS if self._quiet else BUSY_GATHER_SECONDS)
        await self.drain()

    async def drain(self) -> None:
        """Drain until every CPU is empty, and hand the spans on."""
        events, more = 0, True
        while more:
            async with self.lock:
                loop = asyncio.get_running_loop()
                report = await loop.run_in_executor(self.executor, self.pipeline.drain)
                if report.losses:
                    source = self.pipeline.source.name
                    _log.warning("drain.lost_events", source=source, gaps=report.losses)
                self.deliver(report)
            events, more = events + report.events, report.more
        self._quiet = events < QUIET_EVENTS
