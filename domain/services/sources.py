"""Who shares which source: sessions join and leave, sources open and close."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from copy import copy
from typing import TypeVar

import structlog
from attrs import define, field

from ...ports.clock import Clock
from ...ports.errors import TracingUnavailable
from ...ports.kernel_tracer import KernelTracer, SourceSettings
from ...ports.pod_discovery import PodDiscovery
from ..model.errors import DataError, TracerError
from ..model.hook import TracePlan
from ..model.pod import Container
from ..model.share import FOREVER, SessionShare
from ..model.spans import SpanBatch
from ..model.stats import SessionStats, SourceStats
from ..model.tasks import TASK_EVENTS
from .following import TaskFollower
from .pipeline import DrainReport, SourceLayout, TracePipeline
from .runner import SourceRunner

_log = structlog.get_logger()
_T = TypeVar("_T")


@define(kw_only=True, eq=False)
class Subscription:
    """One run of a session, as its source sees it.

    `deliver` takes its spans; `end` is called once, with the reason, when it should stop by
    itself. Both are called from the event loop.
    """

    share: SessionShare
    containers: tuple[Container, ...]
    deliver: Callable[[SpanBatch], None]
    end: Callable[[str], None]
    joined: SourceStats = field(factory=SourceStats)


@define(kw_only=True, eq=False)
class SharedSource:
    """A source, its loop, and the sessions that have joined it."""

    events: frozenset[str]
    runner: SourceRunner
    follower: TaskFollower
    subscriptions: dict[str, Subscription] = field(factory=dict)
    tasks: list[asyncio.Task[None]] = field(factory=list)

    @property
    def pipeline(self) -> TracePipeline:
        """The way its events go."""
        return self.runner.pipeline

    def run(self) -> None:
        """Begin to drain and to look after tasks."""
        for verb, loop in (("drain", self.runner.run()), ("follow", self.follower.run())):
            task = asyncio.create_task(loop, name=f"{verb} {self.pipeline.source.name}")
            task.add_done_callback(self._died)
            self.tasks.append(task)

    def _died(self, task: asyncio.Task[None]) -> None:
        """End every session when one of the loops fails: nothing would be read any more."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        _log.error("source.failed", task=task.get_name(), error=str(error), exc_info=error)
        for subscription in list(self.subscriptions.values()):
            subscription.end(f"reading the kernel's events failed: {error}")

    def deliver(self, report: DrainReport) -> None:
        """Hand a drain's spans on, and notice sessions that are over."""
        for session_id, batch in report.spans.items():
            if subscription := self.subscriptions.get(session_id):
                subscription.deliver(batch)
        for subscription in list(self.subscriptions.values()):
            if subscription.share.full:
                subscription.end(f"max-events: {subscription.share.max_spans} were reached")
        if report.strangers or self.empty():
            self.follower.hurry()

    def wanted(self) -> set[int]:
        """Return the numbers of the containers some session wants."""
        return {number for one in self.subscriptions.values() for number in one.share.containers}

    def empty(self) -> list[Subscription]:
        """Return the sessions none of whose tasks is known to live."""
        alive = self.pipeline.tasks.alive
        return [
            one
            for one in self.subscriptions.values()
            if not any(alive(number) for number in one.share.containers)
        ]

    def end_empty(self) -> None:
        """End the sessions whose containers are gone, after `/proc` has been read again."""
        for subscription in self.empty():
            names = ", ".join(f"{one.pod}/{one.name}" for one in subscription.containers)
            subscription.end(f"its containers are gone: {names}")


@define(kw_only=True, eq=False)
class TraceSources:
    """All sources of this node. A source lives as long as a session has joined it."""

    tracer: KernelTracer
    discovery: PodDiscovery
    clock: Clock
    executor: Executor
    settings: SourceSettings
    _sources: list[SharedSource] = field(factory=list)
    _layouts: dict[frozenset[str], SourceLayout] = field(factory=dict)
    _closing: set[asyncio.Task[None]] = field(factory=set)
    _lock: asyncio.Lock = field(factory=asyncio.Lock)

    async def join(self, subscription: Subscription, plan: TracePlan) -> None:
        """Let a session have the events of its plan, of its containers, from now on.

        Raises `TracingUnavailable`, `EventUnavailable` or `DiscoveryFailed`, and then nothing of
        the session is left in the kernel.
        """
        events = plan.events | frozenset(TASK_EVENTS)
        async with self._lock:
            source = self._that_has(events) or await self._open(events, subscription.containers)
            try:
                await self._subscribe(source, subscription, plan)
            except BaseException:
                await self._unsubscribe(source, subscription)
                raise

    async def leave(self, session_id: str) -> SpanBatch | None:
        """Let a session have no more events; return its unfinished calls, if it had joined."""
        async with self._lock:
            for source in self._sources:
                if subscription := source.subscriptions.get(session_id):
                    return await self._unsubscribe(source, subscription)
        return None

    async def statistics(self, session_id: str) -> SessionStats | None:
        """Return the balance of a session that has joined, its source's since then included."""
        for source in list(self._sources):
            if subscription := source.subscriptions.get(session_id):
                async with source.runner.lock:
                    now = await self._balance(source)
                    counts = subscription.share.statistics
                    counts.source = now.since(subscription.joined)
                    return copy(counts)
        return None

    async def all_statistics(self) -> Mapping[str, SourceStats]:
        """Return the balance of every source that is open, by name."""
        balances = {}
        for source in list(self._sources):
            async with source.runner.lock:
                balances[source.pipeline.source.name] = await self._balance(source)
        return balances

    async def close(self) -> None:
        """Wait until every source nobody needs has been removed from the kernel."""
        if self._closing:
            await asyncio.gather(*self._closing)

    # Opening and closing.

    def _that_has(self, events: frozenset[str]) -> SharedSource | None:
        fitting = [one for one in self._sources if events <= one.events]
        return min(fitting, key=lambda one: len(one.events), default=None)

    async def _open(self, events: frozenset[str], containers: Iterable[Container]) -> SharedSource:
        found = [await self.discovery.tasks_of(one) for one in containers]
        tids = [task.tid for tasks in found for task in tasks]
        opened = await self._in_worker(self.tracer.open_source, events, tids, self.settings)
        try:
            layout = self._layout(events, opened.header_page, opened.formats)
        except DataError as error:
            await self._in_worker(opened.close)
            raise TracingUnavailable(f"Cannot read this kernel's events: {error}") from error
        pipeline = TracePipeline(source=opened, layout=layout, clock=self.clock)
        runner = SourceRunner(
            pipeline=pipeline, clock=self.clock, executor=self.executor, deliver=lambda _: None
        )
        follower = TaskFollower(runner=runner, discovery=self.discovery, clock=self.clock)
        source = SharedSource(events=events, runner=runner, follower=follower)
        runner.deliver, follower.checked = source.deliver, source.end_empty
        self._sources.append(source)
        _log.info("source.opened", source=opened.name, events=len(events))
        return source

    def _layout(
        self, events: frozenset[str], header_page: str, formats: Mapping[str, str]
    ) -> SourceLayout:
        """Work out a layout once for each set of events: it takes longer than opening."""
        if events not in self._layouts:
            self._layouts[events] = SourceLayout.of(header_page, formats)
        return self._layouts[events]

    async def _subscribe(
        self, source: SharedSource, subscription: Subscription, plan: TracePlan
    ) -> None:
        share, pipeline = subscription.share, source.pipeline
        for container in subscription.containers:
            share.containers.add(await source.follower.follow(container))
        if not source.tasks:
            await self._in_worker(pipeline.source.start)
            source.run()
            for container in subscription.containers:
                await source.follower.follow(container)
        async with source.runner.lock:
            subscription.joined = await self._balance(source)
            share.since_ns = self.clock.trace_ns()
            share.until_ns = share.since_ns + plan.duration_ns if plan.duration_ns else FOREVER
            pipeline.shares[share.session_id] = share
            source.subscriptions[share.session_id] = subscription

    async def _unsubscribe(self, source: SharedSource, subscription: Subscription) -> SpanBatch:
        share, pipeline = subscription.share, source.pipeline
        share.until_ns = min(share.until_ns, self.clock.trace_ns())
        last = not source.subscriptions.keys() - {share.session_id}
        try:
            if last:
                await self._in_worker(pipeline.source.stop)
            await source.runner.drain()
        finally:
            async with source.runner.lock:
                source.subscriptions.pop(share.session_id, None)
                pipeline.shares.setdefault(share.session_id, share)
                unfinished = pipeline.finish(share.session_id)
                balance = await self._balance(source)
                share.statistics.source = balance.since(subscription.joined)
            if last:
                self._retire(source)
        if not last:
            await source.follower.leave(share.containers - source.wanted())
        return unfinished

    def _retire(self, source: SharedSource) -> None:
        """Remove a source nobody needs, off the path of whoever left it last."""
        self._sources.remove(source)
        for task in source.tasks:
            task.cancel()
        closing = asyncio.create_task(
            self._close(source), name=f"close {source.pipeline.source.name}"
        )
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _close(self, source: SharedSource) -> None:
        await asyncio.gather(*source.tasks, return_exceptions=True)
        name = source.pipeline.source.name
        try:
            await self._in_worker(source.pipeline.source.close)
        except TracerError as error:
            _log.error("source.not_removed", source=name, error=str(error))
        else:
            _log.info("source.closed", source=name)

    async def _balance(self, source: SharedSource) -> SourceStats:
        """Balance a source; the caller holds its lock, so nothing is read meanwhile."""
        counters = await self._in_worker(source.pipeline.source.counters)
        return source.pipeline.statistics(counters)

    async def _in_worker(self, call: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(None, call, *arguments)
