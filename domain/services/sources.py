"""Who shares which source: sessions join and leave, and take their containers with them."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from copy import deepcopy
from typing import TypeVar

import structlog
from attrs import define, field

from ...ports.clock import Clock
from ..model.hook import TracePlan
from ..model.pod import Container
from ..model.share import FOREVER
from ..model.spans import SpanBatch
from ..model.stats import SessionStats, SourceStats
from ..model.summary import Summary
from ..model.task_events import TASK_EVENTS
from .background import Background
from .opening import SourceOpening
from .shared_source import SharedSource, Subscription

_log = structlog.get_logger()
_T = TypeVar("_T")


@define(kw_only=True, eq=False)
class TraceSources:
    """All sources of this node. A source lives as long as a session has joined it.

    What joins or leaves does so wholly, even if whoever asked for it is cancelled meanwhile.
    """

    opening: SourceOpening
    clock: Clock
    _sources: list[SharedSource] = field(factory=list)
    _background: Background = field(factory=Background)
    _lock: asyncio.Lock = field(factory=asyncio.Lock)

    async def join(self, subscription: Subscription, plan: TracePlan) -> None:
        """Let a session have the events of its plan, of its containers, from now on.

        Raises `TracingUnavailable`, `EventUnavailable` or `DiscoveryFailed`, and then nothing of
        the session is left in the kernel.
        """
        session_id = subscription.share.session_id
        try:
            await self._background.carry_out(
                self._join(subscription, plan), name=f"join session {session_id}"
            )
        except asyncio.CancelledError:
            # It waits for its turn behind the join, which has the lock or is before it in line.
            self._background.leave(self._leave(session_id), name=f"undo join {session_id}")
            raise

    async def leave(self, session_id: str) -> SpanBatch | None:
        """Let a session have no more events; return its unfinished calls, if it had joined.

        What goes wrong is said in the subscription's `failure`: nothing stays behind for it.
        """
        return await self._background.carry_out(
            self._leave(session_id), name=f"leave session {session_id}"
        )

    async def take_on(self, session_id: str, containers: Sequence[Container]) -> bool:
        """Give a session that has joined the events of more containers, from now on.

        What is being launched into them is recorded already; other tasks they have are, soon.
        Returns whether the session had joined; else nothing was done.
        """
        taken = False
        for source in self._that_have(session_id):
            pipeline = source.pipeline
            async with source.runner.lock:
                numbers = {pipeline.tasks.container_number(one): one for one in containers}
                if session_id in source.subscriptions:
                    pipeline.take_on(session_id, numbers)
                    taken = True
            source.follower.hurry()
        return taken

    async def catch_up(self, session_id: str) -> None:
        """Bring a session that has joined everything that has happened up to now."""
        for source in self._that_have(session_id):
            await source.runner.drain(past_ns=self.clock.trace_ns())

    async def let_go(self, session_id: str, containers: Sequence[Container]) -> None:
        """Give a session that has joined no more of containers; what was drained is its own."""
        for source in self._that_have(session_id):
            async with source.runner.lock:
                number_of = source.pipeline.tasks.container_number
                numbers = {number_of(one) for one in containers}
                if subscription := source.subscriptions.get(session_id):
                    unfinished = source.pipeline.let_go(session_id, numbers)
                    subscription.deliver(unfinished)
            source.follower.hurry()

    def _that_have(self, session_id: str) -> list[SharedSource]:
        return [one for one in self._sources if session_id in one.subscriptions]

    async def statistics(self, session_id: str) -> SessionStats | None:
        """Return the balance of a session that has joined, its source's since then included."""
        return await self._look(session_id, self._balance_of)

    async def summary(self, session_id: str) -> tuple[SessionStats, Summary] | None:
        """Return the balance of a session that has joined, and what its spans come to by now."""
        return await self._look(session_id, self._balance_and_summary)

    async def _look(
        self,
        session_id: str,
        at: Callable[[SharedSource, Subscription], Coroutine[None, None, _T]],
    ) -> _T | None:
        """Look at a session that has joined while nobody changes what there is to see."""
        for source in list(self._sources):
            if session_id not in source.subscriptions:
                continue
            async with source.runner.lock:
                if subscription := source.subscriptions.get(session_id):
                    return await at(source, subscription)
        return None

    async def _balance_of(self, source: SharedSource, subscription: Subscription) -> SessionStats:
        counts = subscription.share.statistics
        counts.source = (await self._balance(source)).since(subscription.joined)
        return deepcopy(counts)

    async def _balance_and_summary(
        self, source: SharedSource, subscription: Subscription
    ) -> tuple[SessionStats, Summary]:
        summary = await self._in_worker(subscription.share.summary.copy)
        return await self._balance_of(source, subscription), summary

    async def all_statistics(self) -> Mapping[str, SourceStats]:
        """Return the balance of every source that is open, by name."""
        balances = {}
        for source in list(self._sources):
            async with source.runner.lock:
                if source in self._sources:
                    balances[source.name] = await self._balance(source)
        return balances

    async def close(self) -> None:
        """Wait until every source nobody needs has been removed from the kernel."""
        await self._background.finish()

    # Joining and leaving.

    async def _join(self, subscription: Subscription, plan: TracePlan) -> None:
        events = plan.events | frozenset(TASK_EVENTS)
        async with self._lock:
            source = self._that_has(events)
            if source is None:
                source = await self.opening.open(events, subscription.containers)
                self._sources.append(source)
            try:
                await self._take_in(source, subscription, plan)
            except BaseException:
                await self._unsubscribe(source, subscription)
                raise

    async def _take_in(
        self, source: SharedSource, subscription: Subscription, plan: TracePlan
    ) -> None:
        """Have the session's tasks recorded and let its share begin; then a new source starts."""
        follower = source.follower
        containers = await follower.expect(subscription.containers)
        subscription.share.containers.update(containers)
        recorded, source.recorded = source.recorded, set()
        await follower.follow(containers, recorded=recorded)
        await self._subscribe(source, subscription, plan)
        follower.expected.clear()
        if not source.tasks:
            await self._in_worker(source.pipeline.source.start)
            source.run()
            await follower.follow(containers)  # of tasks made meanwhile no event told

    async def _subscribe(
        self, source: SharedSource, subscription: Subscription, plan: TracePlan
    ) -> None:
        """Let the session's share of what is recorded begin here."""
        share = subscription.share
        async with source.runner.lock:
            subscription.joined = await self._balance(source)
            share.since_ns = self.clock.trace_ns()
            share.until_ns = share.since_ns + plan.duration_ns if plan.duration_ns else FOREVER
            source.add(subscription)

    async def _leave(self, session_id: str) -> SpanBatch | None:
        async with self._lock:
            for source in self._sources:
                if subscription := source.subscriptions.get(session_id):
                    return await self._unsubscribe(source, subscription)
        return None

    async def _unsubscribe(
        self, source: SharedSource, subscription: Subscription
    ) -> SpanBatch | None:
        """Take a session out, whether or not all of it was in, and whatever fails on the way."""
        share = subscription.share
        source.follower.expected.clear()
        last = not source.subscriptions.keys() - {share.session_id}
        if last:
            with subscription.noting(f"stop {source.name}"):
                await self._in_worker(source.pipeline.source.stop)
        share.until_ns = min(share.until_ns, self.clock.trace_ns())
        with subscription.noting(f"read {source.name} to its end"):
            await source.runner.drain(past_ns=share.until_ns)
        async with source.runner.lock:
            unfinished = await self._settle(source, subscription)
            if last:
                self._retire(source)
        if not last:
            with subscription.noting(f"let tasks go in {source.name}"):
                await source.follower.leave(share.containers - source.wanted())
        return unfinished

    async def _settle(self, source: SharedSource, subscription: Subscription) -> SpanBatch | None:
        """End a session's share; the caller holds the source's lock."""
        share, pipeline, unfinished = subscription.share, source.pipeline, None
        source.subscriptions.pop(share.session_id, None)
        with subscription.noting("end its share"):
            pipeline.shares.setdefault(share.session_id, share)
            unfinished = pipeline.finish(share.session_id)
        with subscription.noting(f"balance {source.name}"):
            balance = await self._balance(source)
            share.statistics.source = balance.since(subscription.joined)
        return unfinished

    # Opening and closing.

    def _that_has(self, events: frozenset[str]) -> SharedSource | None:
        fitting = [one for one in self._sources if events <= one.events and not one.failure]
        return min(fitting, key=lambda one: len(one.events), default=None)

    def _retire(self, source: SharedSource) -> None:
        """Remove a source nobody needs, off the path of whoever left it last."""
        self._sources.remove(source)
        for task in source.tasks:
            task.cancel()
        self._background.leave(self.opening.close(source), name=f"close {source.name}")

    async def _balance(self, source: SharedSource) -> SourceStats:
        """Balance a source; the caller holds its lock, so nothing is read meanwhile."""
        counters = await self._in_worker(source.pipeline.source.counters)
        return source.pipeline.statistics(counters)

    async def _in_worker(self, call: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(None, call, *arguments)
