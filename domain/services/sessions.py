"""Trace sessions: create, start, stop, find, delete."""

import asyncio
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import structlog
from attrs import define, field

from ...ports.clock import Clock
from ...ports.errors import PortError, TracingUnavailable
from ...ports.kernel_tracer import KernelTracer
from ...ports.session_repository import SessionRepository
from ...ports.span_exporter import SpanExporter
from ..model.hook import HookCatalogue, TraceHook
from ..model.session import SessionState, TraceSession
from ..model.session_request import SessionRequest, UnknownSession
from ..model.stats import SessionStats, SourceStats
from ..model.summary import RunSummary
from ..model.trace_context import SpanContext
from .admission import Admission, SessionSettings
from .background import Background
from .inventory import PodInventory
from .leases import Leases
from .live import LiveSpans
from .own_spans import FOR_NOBODY, OwnSpans
from .selections import Selections
from .session_runs import SessionRun, SessionRuns
from .session_spans import SessionSpans
from .sources import TraceSources
from .watcher import Frame, Watcher

_log = structlog.get_logger()


@define(kw_only=True, eq=False)
class TraceSessions:
    """The sessions of this node.

    What starts or stops a session does so wholly, even if the caller is cancelled meanwhile.
    """

    settings: SessionSettings
    hooks: Sequence[TraceHook]
    inventory: PodInventory
    trace_sources: TraceSources
    tracer: KernelTracer
    exporters: Mapping[str, SpanExporter]
    repository: SessionRepository
    clock: Clock
    spans: OwnSpans = FOR_NOBODY
    live: LiveSpans = field(init=False)
    _admission: Admission = field(init=False)
    _leases: Leases = field(init=False)
    _selections: Selections = field(init=False)
    _runs: SessionRuns = field(init=False)
    _session_spans: SessionSpans = field(init=False)
    _locks: dict[str, asyncio.Lock] = field(factory=dict)
    _background: Background = field(factory=Background)
    _closed: bool = False

    def __attrs_post_init__(self) -> None:
        """Begin with no run, and nobody who watches one."""
        self._admission = Admission(
            settings=self.settings, hooks=self.hooks, tracer=self.tracer, exporters=self.exporters
        )
        self._leases = Leases(clock=self.clock, give_up=self._give_up)
        self.live = LiveSpans(node=self.settings.node, clock=self.clock, statistics=self.statistics)
        self._selections = Selections(
            inventory=self.inventory,
            trace_sources=self.trace_sources,
            live=self.live,
            clock=self.clock,
        )
        self._runs = SessionRuns(
            node=self.settings.node,
            selections=self._selections,
            trace_sources=self.trace_sources,
            exporters=self.exporters,
            clock=self.clock,
            live=self.live,
            spans=self.spans,
        )
        self._session_spans = SessionSpans(self.spans)

    @property
    def node(self) -> str:
        """Name of this node."""
        return self.settings.node

    @property
    def catalogue(self) -> HookCatalogue:
        """All hooks, and whether this kernel can do them."""
        return self._admission.catalogue

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
        self._admission.check_room(len(self.repository.list()))
        exporters = self._admission.exporters_of(request)
        plan = self._admission.plan(request)
        admitted = await self._selections.choose(request)
        self._admission.check_room(len(self.repository.list()))  # others may have come meanwhile
        session = TraceSession(
            session_id=str(secrets.randbelow((1 << 64) - 1) + 1),
            request=request,
            plan=plan,
            exporters=exporters,
            sample_rate=request.sample_rate or self.settings.sample_rate,
            created_ns=self.clock.wall_ns(),
            caller=request.caller,
        )
        session.begin_with(admitted)
        self.repository.add(session)
        self._leases.begin(session.session_id, request.lease_ns)
        _log.info("session.created", session_id=session.session_id, hook=request.hook)
        if request.run:
            try:
                await self._start(session.session_id, selected=True, caller=request.caller)
            except BaseException:
                with suppress(UnknownSession):
                    await self.delete(session.session_id)
                raise
        return session

    def get(self, session_id: str) -> TraceSession:
        """Return a session that somebody asks for; raise `UnknownSession`."""
        self._leases.renew(session_id)
        return self.repository.get(session_id)

    def find(self, known_as: str) -> Sequence[TraceSession]:
        """Return the session of that id, else those of that group; raise `UnknownSession`."""
        held = self.repository.list()
        found = [one for one in held if one.session_id == known_as]
        if not found and known_as:
            found = [one for one in held if one.request.group == known_as]
        return found or [self.repository.get(known_as)]

    async def start(self, session_id: str, *, caller: SpanContext | None = None) -> None:
        """Start a session, in the trace of its caller; one that runs is left alone.

        Without a caller it stays in the trace of whoever started it before, or made it.
        """
        await self._start(session_id, caller=caller)

    async def _start(
        self, session_id: str, *, selected: bool = False, caller: SpanContext | None = None
    ) -> None:
        await self._background.carry_out(
            self._start_by_id(session_id, selected=selected, caller=caller),
            name=f"start session {session_id}",
        )

    async def stop(self, session_id: str, reason: str = "stopped by request") -> None:
        """Stop a session; one that does not run is left alone."""
        await self._background.carry_out(
            self._stop_by_id(session_id, reason), name=f"stop session {session_id}"
        )

    async def delete(self, session_id: str) -> None:
        """Stop a session and forget it; raise `UnknownSession`."""
        await self._background.carry_out(
            self._delete_by_id(session_id), name=f"delete session {session_id}"
        )

    async def delete_each(self, session_ids: Iterable[str]) -> None:
        """Stop and forget sessions, but for those that are gone already."""
        ends = await asyncio.gather(*map(self.delete, session_ids), return_exceptions=True)
        for end in ends:
            # Somebody else may have deleted one meanwhile, which is what was asked for.
            if isinstance(end, BaseException) and not isinstance(end, UnknownSession):
                raise end

    async def close(self) -> None:
        """Stop every session and remove everything from the kernel; no session starts after."""
        self._closed = True
        self._leases.close()
        stops = [self.stop(one.session_id, "the node shut down") for one in self.list()]
        await asyncio.gather(*stops, return_exceptions=True)
        await self._background.finish()
        await self._selections.close()
        await self.live.close("the node shut down")
        await self.trace_sources.close()

    async def statistics(self, session: TraceSession) -> SessionStats:
        """Return the numbers of a session as they are now."""
        if self._runs.of(session.session_id):
            fresh = await self.trace_sources.statistics(session.session_id)
            if fresh is not None:
                return fresh
        return session.statistics

    async def summary(self, session: TraceSession) -> RunSummary:
        """Return what the spans of a session's latest run come to, as it is now."""
        # Also while it stops, for until its source has let it go it may still get spans.
        fresh = await self.trace_sources.summary(session.session_id)
        statistics, summary = fresh or (session.statistics, session.summary)
        now_ns = self.clock.wall_ns() if session.started_ns else 0
        return RunSummary(
            started_ns=session.started_ns,
            until_ns=session.ended_ns or now_ns,
            statistics=statistics,
            summary=summary,
        )

    @contextmanager
    def watching(self, session: TraceSession, frame: Frame) -> Iterator[Watcher]:
        """Watch a session while in the block; raise `TooManyWatchers` as it is entered."""
        with self._leases.holding(session.session_id), self.live.watching(session, frame) as one:
            yield one

    def watchers(self) -> tuple[int, int]:
        """Count those who watch, and the spans that all there ever were have lost."""
        return self.live.watchers, self.live.dropped_spans

    async def sources(self) -> Mapping[str, SourceStats]:
        """Return the balance of every source, by name."""
        return await self.trace_sources.all_statistics()

    # How a session changes: one thing at a time, and only while it is in the repository.

    async def _start_by_id(
        self, session_id: str, *, selected: bool, caller: SpanContext | None
    ) -> None:
        self.repository.get(session_id)
        async with self._lock(session_id):
            session = self.repository.get(session_id)
            if session.running:
                return
            if self._closed:
                raise TracingUnavailable("This node is shutting down; no session starts any more.")
            session.move(SessionState.STARTING)
            session.error = session.reason = ""
            with self._session_spans.starting(session, caller) as begun:
                begun(await self._begin(session, selected=selected))
        _log.info("session.started", session_id=session_id, containers=len(session.containers))

    async def _begin(self, session: TraceSession, *, selected: bool) -> SessionRun:
        try:
            run = await self._runs.begin(session, selected=selected, ended=self._ended)
        except BaseException as error:
            session.error = str(error) or type(error).__name__
            session.ended_ns = self.clock.wall_ns()
            session.move(SessionState.FAILED)
            self.live.end(session, "it could not be started")
            raise
        session.move(SessionState.RUNNING)
        return run

    async def _stop_by_id(self, session_id: str, reason: str) -> None:
        self.repository.get(session_id)
        async with self._lock(session_id):
            self.repository.get(session_id)
            if run := self._runs.of(session_id):
                await self._end(run, reason)

    async def _delete_by_id(self, session_id: str) -> None:
        self.repository.get(session_id)
        async with self._lock(session_id):
            session = self.repository.get(session_id)
            try:
                if run := self._runs.of(session_id):
                    await self._end(run, "deleted")
            finally:
                self.repository.remove(session_id)
                self._leases.end(session_id)
                self._locks.pop(session_id, None)
                self.live.end(session, "deleted")
        _log.info("session.deleted", session_id=session_id)

    def _ended(self, run: SessionRun, reason: str) -> None:
        session_id = run.session.session_id
        self._background.leave(self._stop_run(run, reason), name=f"end session {session_id}")

    async def _stop_run(self, run: SessionRun, reason: str) -> None:
        """Stop this run, and not one that was started after it."""
        session_id = run.session.session_id
        if self._runs.of(session_id) is not run:
            return
        async with self._lock(session_id):
            if self._runs.of(session_id) is run:
                await self._end(run, reason)

    async def _end(self, run: SessionRun, reason: str) -> None:
        with self._session_spans.stopping(run, reason):
            await self._end_run(run, reason)

    async def _end_run(self, run: SessionRun, reason: str) -> None:
        session, failure = run.session, "stopping it was broken off"
        session.move(SessionState.STOPPING)
        try:
            failure = await self._runs.end(run)
        finally:
            session.error = "; ".join(filter(None, (failure, *run.deliveries.errors)))
            session.reason, session.ended_ns = reason, self.clock.wall_ns()
            session.move(SessionState.FAILED if failure else SessionState.STOPPED)
            self.live.end(session, reason)
        _log_run(session)

    async def _give_up(self, session_id: str) -> None:
        """Delete a session that nobody asks for any more."""
        with suppress(UnknownSession):
            await self.delete(session_id)

    def _lock(self, session_id: str) -> asyncio.Lock:
        return self._locks.setdefault(session_id, asyncio.Lock())

    # Last, because inside this class `list` now means the method.
    def list(self) -> Sequence[TraceSession]:
        """Return all sessions, oldest first."""
        return self.repository.list()


def _log_run(session: TraceSession) -> None:
    """Write the one canonical line of a run."""
    counts = session.statistics
    _log.info(
        "session.stopped",
        session_id=session.session_id,
        reason=session.reason,
        attributed=counts.attributed,
        filtered_out=counts.filtered_out,
        sampled_out=counts.sampled_out,
        spans=counts.spans,
        lost=counts.source.lost,
        dropped={name: one.dropped for name, one in counts.exporters.items()},
    )
