"""How a run of a session begins and ends."""

import asyncio
from collections.abc import Callable, Mapping

from attrs import define, evolve, field

from ...ports.clock import Clock
from ...ports.span_exporter import SpanExporter, TraceContext
from ..model.session import TraceSession
from ..model.share import SessionShare
from ..model.span_sampling import SpanSampling
from ..model.spans import SpanBatch
from ..model.stats import ExporterStats
from .background import apart
from .deliveries import Deliveries
from .live import LiveSpans
from .own_spans import FOR_NOBODY, OwnSpans
from .selections import Selections
from .shared_source import Subscription
from .sources import TraceSources


@define(kw_only=True, eq=False)
class SessionRun:
    """What a session holds while it runs."""

    session: TraceSession
    subscription: Subscription
    deliveries: Deliveries
    over: asyncio.Future[str]
    watch: asyncio.Task[None] | None = None

    async def wait(self, seconds: float | None) -> str:
        """Wait until its source says it is over, or its time is; return the reason."""
        try:
            return await asyncio.wait_for(asyncio.shield(self.over), seconds)
        except TimeoutError:
            return f"its duration of {seconds:g} s is over"


@define(kw_only=True, eq=False)
class SessionRuns:
    """Begins runs and ends them."""

    node: str
    selections: Selections
    trace_sources: TraceSources
    exporters: Mapping[str, SpanExporter]
    clock: Clock
    live: LiveSpans
    spans: OwnSpans = FOR_NOBODY
    _runs: dict[str, SessionRun] = field(factory=dict)

    def of(self, session_id: str) -> SessionRun | None:
        """Return the run of a session, if it runs."""
        return self._runs.get(session_id)

    async def begin(
        self, session: TraceSession, *, selected: bool, ended: Callable[[SessionRun, str], None]
    ) -> SessionRun:
        """Open the exporters, then join a source; whatever fails leaves nothing open.

        `selected` says that the session's containers have just been selected; else that is done
        again. `ended` is called once if the run should end without a request.
        """
        session.started_ns, session.ended_ns = self.clock.wall_ns(), 0
        if not selected:
            session.begin_with(await self.selections.choose(session.request))
        duration_ns = _shorter(session.request.duration_ns, session.plan.duration_ns)
        run = await self._prepare(session)
        try:
            plan = evolve(session.plan, duration_ns=duration_ns)
            async with self.selections.following(session, end=run.subscription.end):
                await self.trace_sources.join(run.subscription, plan)
        except BaseException:
            await run.deliveries.close()
            raise
        self._runs[session.session_id] = run
        run.watch = apart(
            _watch(run, duration_ns / 1e9 or None, ended),
            name=f"watch session {session.session_id}",
        )
        return run

    async def end(self, run: SessionRun) -> str:
        """Leave the source, close the exporters; return what went wrong with the source."""
        session_id = run.session.session_id
        self._runs.pop(session_id, None)
        self.selections.forget(session_id)
        if run.watch is not None:
            run.watch.cancel()
        try:
            unfinished = await self.trace_sources.leave(session_id)
            if unfinished is not None and len(unfinished):
                run.subscription.deliver(unfinished)
        finally:
            await run.deliveries.close(ended_ns=self.clock.wall_ns())
        return run.subscription.failure

    async def _prepare(self, session: TraceSession) -> SessionRun:
        share = SessionShare(
            session_id=session.session_id,
            spans=session.plan.spans,
            max_spans=session.request.max_events,
        )
        session.statistics, session.summary = share.statistics, share.summary
        context = self._context(session)
        deliveries = await self._open(session, context)
        session.outputs, session.trace_id = deliveries.outputs, context.trace.trace_id
        seed = int.from_bytes(context.trace.span_id, "big")
        sampling = SpanSampling(rate=session.sample_rate, seed=seed)

        def deliver(batch: SpanBatch) -> None:
            kept = sampling.keep(batch)
            share.statistics.sampled_out += batch.events - kept.events
            deliveries.offer(kept)
            self.live.offer(session.session_id, batch)

        over = asyncio.get_running_loop().create_future()
        subscription = Subscription(
            share=share,
            containers=session.containers,
            selector=session.request.selector,
            deliver=deliver,
            emptied=lambda: self.selections.emptied(session.session_id),
            end=lambda reason: None if over.done() else over.set_result(reason),
        )
        return SessionRun(
            session=session, subscription=subscription, deliveries=deliveries, over=over
        )

    async def _open(self, session: TraceSession, context: TraceContext) -> Deliveries:
        """Open the exporters, unless they would be given nothing; then they have numbers, too."""
        counts = session.statistics.exporters
        counts.update((name, ExporterStats()) for name in session.exporters)
        wanted = () if session.sample_rate.never else session.exporters
        return await Deliveries.open(
            {name: self.exporters[name] for name in wanted},
            context,
            clock=self.clock,
            spans=self.spans,
            statistics=counts,
        )

    def _context(self, session: TraceSession) -> TraceContext:
        return TraceContext(
            session_id=session.session_id,
            node=self.node,
            hook=session.request.hook,
            user_context=session.request.user_context,
            pod=session.request.selector.place,
            started_ns=session.started_ns,
            caller=session.caller,
            group=session.request.group,
            sample_rate=session.sample_rate,
        )


async def _watch(
    run: SessionRun, seconds: float | None, ended: Callable[[SessionRun, str], None]
) -> None:
    ended(run, await run.wait(seconds))


def _shorter(one_ns: int, other_ns: int) -> int:
    """Return the shorter of two durations, of which 0 means endless."""
    return min(filter(None, (one_ns, other_ns)), default=0)
