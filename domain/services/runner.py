"""The endless loop of a source: wait for events, let some gather, drain."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress

import structlog
from attrs import define, field

from .drain_spans import DrainSpans
from .pipeline import DrainReport, TracePipeline

GATHER_SECONDS = 0.1
"""How long events gather before a drain, which has a price of its own: about 1 ms."""

GATHER_PERCENT = 20
"""They gather no longer than until this much of a buffer is full: 8 MiB fill in 45 ms at least."""

UNSETTLED_SECONDS = 0.005
"""How soon to drain again where it is not known yet who was put into which container."""

_log = structlog.get_logger()


@define(kw_only=True, eq=False)
class SourceRunner:
    """Drains a source as long as it lives. `lock` is held while anybody uses the pipeline."""

    pipeline: TracePipeline
    executor: Executor
    deliver: Callable[[DrainReport], None]
    spans: DrainSpans
    lock: asyncio.Lock = field(factory=asyncio.Lock)

    async def run(self) -> None:
        """Drain again and again, until cancelled."""
        while True:
            await self.step()

    async def step(self) -> None:
        """Wait for events, let them gather, and drain them."""
        if not self.pipeline.pending:  # else they are due, whether or not more come
            await self.pipeline.source.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(GATHER_SECONDS):
                await self.pipeline.source.wait(percent=GATHER_PERCENT)
        await self.drain()

    async def drain(self, *, past_ns: int | None = None) -> int:
        """Drain until every CPU is empty, and hand the spans on; return how many events came.

        With `past_ns`, drain only until everything stamped up to then was found: others may
        make events faster than they can be read. Whose they are may be known a little later.
        """
        events, more = 0, True
        while more:
            async with self.lock:
                report = await self._drain_once()
            events += report.events
            more = report.more and (past_ns is None or report.until_ns <= past_ns)
            if not more and past_ns is not None and report.until_ns < past_ns:
                await asyncio.sleep(UNSETTLED_SECONDS)
                more = True
        return events

    async def _drain_once(self) -> DrainReport:
        """Drain in a worker thread, which is always waited for: nobody else may begin before."""
        loop, began_ns = asyncio.get_running_loop(), self.spans.now_ns()
        draining = loop.run_in_executor(self.executor, self.pipeline.drain)
        try:
            await asyncio.shield(draining)
        except asyncio.CancelledError:
            await asyncio.wait([draining])
            self._hand_on(draining.result(), began_ns)
            raise
        return self._hand_on(draining.result(), began_ns)

    def _hand_on(self, report: DrainReport, began_ns: int) -> DrainReport:
        self.spans.note(report, began_ns)
        if report.losses:
            source = self.pipeline.source.name
            _log.warning("drain.lost_events", source=source, gaps=report.losses)
        self.deliver(report)
        return report
