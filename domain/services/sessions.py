"""Trace sessions: create, start, stop, find, delete."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence

import structlog
from attrs import define, evolve, field, frozen

from ...ports.clock import Clock
from ...ports.errors import ExportFailed, PortError
from ...ports.kernel_tracer import KernelTracer
from ...ports.session_repository import SessionRepository
from ...ports.span_exporter import SpanExporter, TraceContext
from ..model.hook import HookCatalogue, TraceHook
from ..model.session import (
    HookUnavailable,
    InvalidRequest,
    SessionRequest,
    SessionState,
    TooManySessions,
    TraceSession,
)
from ..model.share import SessionShare
from ..model.spans import SpanBatch
from ..model.stats import ExporterStats, SessionStats, SourceStats
from .delivery import Delivery
from .inventory import PodInventory
from .sources import Subscription, TraceSources

FLUSH_SECONDS = 3.0
"""How long a session that stops waits for its exporters."""

_log = structlog.get_logger()


@frozen(kw_only=True)
class SessionSettings:
    """`exporters` are those of sessions that name none."""

    node: str
    exporters: tuple[str, ...] = ("console",)
    max_sessions: int = 64


@define(kw_only=True, eq=False)
class _Run:
    """What a session holds while it runs."""

    subscription: Subscription
    deliveries: list[Delivery]
    over: asyncio.Future[str]
    watch: asyncio.Task[None] | None = None


@define(kw_only=True, eq=False)
class TraceSessions:
    """The sessions of this node."""

    settings: SessionSettings
    hooks: Sequence[TraceHook]
    inventory: PodInventory
    trace_sources: TraceSources
    tracer: KernelTracer
    exporters: Mapping[str, SpanExporter]
    repository: SessionRepository
    clock: Clock
    _runs: dict[str, _Run] = field(factory=dict)
    _locks: dict[str, asyncio.Lock] = field(factory=dict)
    _catalogue: HookCatalogue | None = None

    @property
    def node(self) -> str:
        """Name of this node."""
        return self.settings.node

    @property
    def catalogue(self) -> HookCatalogue:
        """All hooks, and whether this kernel can do them."""
        if self._catalogue is None or self._catalogue.reason:
            hooks = {hook.name: hook for hook in self.hooks}
            try:
                self._catalogue = HookCatalogue(hooks, self.tracer.event_names())
            except PortError as error:
                self._catalogue = HookCatalogue(hooks, reason=str(error))
        return self._catalogue

    def unavailable(self) -> str:
        """Say why the kernel cannot be traced from here, or return the empty string."""
        return self.catalogue.reason

    def prepare(self) -> None:
        """Remove what a crash of this node left in the kernel."""
        try:
            removed = self.tracer.remove_leftovers()
        except PortError as error:
            _log.warning("tracing.unavailable", reason=str(error))
            return
        if removed:
            _log.info("tracing.leftovers_removed", instances=list(removed))

    async def create(self, request: SessionRequest) -> TraceSession:
        """Make a session of the containers that match now; start it if it is to run."""
        if len(self.repository.list()) >= self.settings.max_sessions:
            raise TooManySessions(
                f"This node holds {self.settings.max_sessions} sessions, its limit"
                " (--max-sessions); delete some first."
            )
        exporters = self._chosen_exporters(request)
        hook = self.catalogue.find(request.hook)
        plan = hook.plan(request.arguments, self.catalogue.events)
        if reason := self.catalogue.unavailable(hook):
            raise HookUnavailable(f"Hook {hook.name} cannot run here. {reason}")
        session = TraceSession(
            session_id=str(secrets.randbelow((1 << 64) - 1) + 1),
            request=request,
            plan=plan,
            exporters=exporters,
            containers=await self.inventory.select(request.selector),
            created_ns=self.clock.wall_ns(),
        )
        self.repository.add(session)
        _log.info("session.created", session_id=session.session_id, hook=hook.name)
        if request.run:
            try:
                await self.start(session.session_id)
            except BaseException:
                await self.delete(session.session_id)
                raise
        return session

    def get(self, session_id: str) -> TraceSession:
        """Return a session; raise `UnknownSession`."""
        return self.repository.get(session_id)

    async def start(self, session_id: str) -> None:
        """Start a session; one that runs is left alone."""
        session = self.repository.get(session_id)
        async with self._lock(session_id):
            if session.running:
                return
            session.move(SessionState.STARTING)
            session.error = session.reason = ""
            try:
                await self._start(session)
            except BaseException as error:
                session.move(SessionState.FAILED)
                session.error = str(error) or type(error).__name__
                session.ended_ns = self.clock.wall_ns()
                raise
            session.move(SessionState.RUNNING)
        _log.info("session.started", session_id=session_id, containers=len(session.containers))

    async def stop(self, session_id: str, reason: str = "stopped by request") -> None:
        """Stop a session; one that does not run is left alone."""
        session = self.repository.get(session_id)
        async with self._lock(session_id):
            if session.state is not SessionState.RUNNING:
                return
            await self._stop(session, self._runs.pop(session_id), reason)

    async def delete(self, session_id: str) -> None:
        """Stop a session and forget it; raise `UnknownSession`."""
        await self.stop(session_id, "deleted")
        self.repository.remove(session_id)
        self._locks.pop(session_id, None)
        _log.info("session.deleted", session_id=session_id)

    async def delete_all(self) -> None:
        """Stop and forget every session."""
        await asyncio.gather(*(self.delete(one.session_id) for one in self.repository.list()))

    async def close(self) -> None:
        """Stop every session and remove everything from the kernel."""
        stops = [self.stop(one.session_id, "the node shut down") for one in self.list()]
        await asyncio.gather(*stops, return_exceptions=True)
        await self.trace_sources.close()

    async def statistics(self, session: TraceSession) -> SessionStats:
        """Return the numbers of a session as they are now."""
        if session.session_id in self._runs:
            fresh = await self.trace_sources.statistics(session.session_id)
            if fresh is not None:
                return fresh
        return session.statistics

    async def sources(self) -> Mapping[str, SourceStats]:
        """Return the balance of every source, by name."""
        return await self.trace_sources.all_statistics()

    # How a run begins and ends.

    def _chosen_exporters(self, request: SessionRequest) -> tuple[str, ...]:
        names = self.settings.exporters if request.exporters is None else request.exporters
        if unknown := [name for name in names if name not in self.exporters]:
            known = ", ".join(sorted(self.exporters))
            raise InvalidRequest(f"There is no exporter {unknown[0]!r}; there are: {known}.")
        return tuple(dict.fromkeys(names))

    async def _start(self, session: TraceSession) -> None:
        """Open the exporters, then join a source; whatever fails leaves nothing open."""
        session.started_ns, session.ended_ns = self.clock.wall_ns(), 0
        session.containers = await self.inventory.select(session.request.selector)
        duration_ns = _shorter(session.request.duration_ns, session.plan.duration_ns)
        plan = evolve(session.plan, duration_ns=duration_ns)
        share = SessionShare(
            session_id=session.session_id,
            spans=plan.spans,
            max_spans=session.request.max_events,
        )
        session.statistics = share.statistics
        deliveries = await self._open_deliveries(session)
        over = asyncio.get_running_loop().create_future()
        subscription = Subscription(
            share=share,
            containers=session.containers,
            deliver=lambda batch: _offer(deliveries, batch),
            end=lambda reason: None if over.done() else over.set_result(reason),
        )
        try:
            await self.trace_sources.join(subscription, plan)
        except BaseException:
            await _close(deliveries)
            raise
        run = _Run(subscription=subscription, deliveries=deliveries, over=over)
        self._runs[session.session_id] = run
        run.watch = asyncio.create_task(
            self._watch(session, run, duration_ns), name=f"watch session {session.session_id}"
        )

    async def _open_deliveries(self, session: TraceSession) -> list[Delivery]:
        context = TraceContext(
            session_id=session.session_id,
            node=self.node,
            hook=session.request.hook,
            user_context=session.request.user_context,
            pod=session.request.selector.pod,
        )
        opened: list[Delivery] = []
        session.statistics.exporters = {}
        for name in session.exporters:
            try:
                sink = await self.exporters[name].open(context)
            except ExportFailed:
                await _close(opened)
                raise
            counts = session.statistics.exporters.setdefault(name, ExporterStats())
            opened.append(Delivery(name=name, sink=sink, clock=self.clock, statistics=counts))
            opened[-1].start()
        session.outputs = tuple(one.sink.output for one in opened if one.sink.output)
        return opened

    async def _watch(self, session: TraceSession, run: _Run, duration_ns: int) -> None:
        """Stop a session when its time is over or its source says so."""
        try:
            reason = await asyncio.wait_for(
                asyncio.shield(run.over), duration_ns / 1e9 if duration_ns else None
            )
        except TimeoutError:
            reason = f"its duration of {duration_ns / 1e9:g} s is over"
        run.watch = None
        await self.stop(session.session_id, reason)

    async def _stop(self, session: TraceSession, run: _Run, reason: str) -> None:
        session.move(SessionState.STOPPING)
        if run.watch is not None:
            run.watch.cancel()
        try:
            unfinished = await self.trace_sources.leave(session.session_id)
            if unfinished is not None and len(unfinished):
                _offer(run.deliveries, unfinished)
            await _close(run.deliveries)
        except BaseException as error:
            session.error = str(error)
            session.move(SessionState.FAILED)
            raise
        else:
            session.move(SessionState.STOPPED)
            session.error = "; ".join(one.error for one in run.deliveries if one.error)
        finally:
            session.reason, session.ended_ns = reason, self.clock.wall_ns()
        _log_run(session)

    def _lock(self, session_id: str) -> asyncio.Lock:
        return self._locks.setdefault(session_id, asyncio.Lock())

    # Last, because inside this class `list` now means the method.
    def list(self) -> Sequence[TraceSession]:
        """Return all sessions, oldest first."""
        return self.repository.list()


def _shorter(one_ns: int, other_ns: int) -> int:
    """Return the shorter of two durations, of which 0 means endless."""
    return min(filter(None, (one_ns, other_ns)), default=0)


def _offer(deliveries: Sequence[Delivery], batch: SpanBatch) -> None:
    for delivery in deliveries:
        delivery.offer(batch)


async def _close(deliveries: Sequence[Delivery]) -> None:
    await asyncio.gather(*(one.close(FLUSH_SECONDS) for one in deliveries))


def _log_run(session: TraceSession) -> None:
    """Write the one canonical line of a run."""
    counts = session.statistics
    _log.info(
        "session.stopped",
        session_id=session.session_id,
        reason=session.reason,
        attributed=counts.attributed,
        filtered_out=counts.filtered_out,
        spans=counts.spans,
        lost=counts.source.lost,
        dropped={name: one.dropped for name, one in counts.exporters.items()},
    )
