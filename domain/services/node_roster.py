"""Keeping the list of nodes fresh, whatever befalls who knows it."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing

import structlog
from attrs import define, evolve, field, frozen

from ...ports.clock import Clock
from ...ports.errors import ClusterUnavailable, DiscoveryFailed
from ...ports.node_directory import NodeDirectory
from ..model.nodes import Nodes
from ..model.single_span import AttributeValue
from .backoff import CAP_SECONDS, Backoff
from .own_spans import FOR_NOBODY, OwnSpans

_log = structlog.get_logger()

LIST = "node discovery"
"""What spans are called in which nodes are listed."""

_NAMED = 10
"""More names would make a line of the log too long."""


@frozen(kw_only=True)
class RosterState:
    """What is known of nodes, and how well.

    `known_ns` is when they were last known to be just these, by the clock of the kernel's events;
    0 is never. `failure` says why they could not be listed the last time, `watch_failure` why their
    changes are not watched; both are empty while all is well. The rest counts.
    """

    nodes: Nodes = field(factory=Nodes)
    known_ns: int = 0
    failure: str = ""
    watch_failure: str = ""
    lists: int = 0
    watches: int = 0
    changes: int = 0
    failures: int = 0


@define(kw_only=True, eq=False)
class NodeRoster:
    """The nodes as they are known, from `run` on, until that is cancelled.

    Their changes are followed, and every `poll_seconds` they are listed anew. While that cannot be
    done, those that were known stay, and it is tried again and again, with growing pauses.
    """

    directory: NodeDirectory
    clock: Clock
    poll_seconds: float = 10.0
    state: RosterState = field(factory=RosterState)
    backoff: Callable[[], Backoff] = Backoff
    spans: OwnSpans = FOR_NOBODY
    _known: asyncio.Event = field(factory=asyncio.Event)

    def nodes(self) -> Nodes:
        """Return those that are known."""
        return self.state.nodes

    def age_seconds(self) -> float | None:
        """Return how long ago they were known to be just these; None if they never were."""
        if not self.state.known_ns:
            return None
        return max(0.0, (self.clock.trace_ns() - self.state.known_ns) / 1e9)

    def stale(self) -> str:
        """Say why the nodes may be others by now, or that they are not known yet; else empty."""
        if not self.state.failure:
            return "" if self.state.known_ns else "The nodes are not known yet."
        if (age := self.age_seconds()) is None:
            return f"The nodes are not known: {self.state.failure}"
        return f"The nodes are those of {age:.0f} s ago: {self.state.failure}"

    async def known(self) -> None:
        """Wait until they are known for the first time."""
        await self._known.wait()

    async def run(self) -> None:
        """Follow their changes and list them, until cancelled."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._follow(), name="follow nodes")
            loops.create_task(self._relist(), name="list nodes")

    async def follow(self, backoff: Backoff) -> float:
        """Take in changes until they cannot be had; return how many seconds to wait then.

        Pauses are short again only after changes were followed for long: each beginning is a list.
        """
        began, listed = self.clock.trace_ns(), False
        began_wall_ns = self.clock.wall_ns()
        self.state = evolve(self.state, watches=self.state.watches + 1)
        try:
            async with aclosing(self.directory.changes()) as changes:
                async for nodes in changes:
                    self._take(nodes, lists=0 if listed else 1)
                    if not listed:
                        self._record_list(began_wall_ns)
                    self.state, listed = evolve(self.state, watch_failure=""), True
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end discovery
            self._fail("nodes.watch_failed", error)
            failure = self.state.failure if listed else _words(error)
            if not listed:
                self._record_list(began_wall_ns, error=_words(error))
            self.state = evolve(self.state, watch_failure=_words(error), failure=failure)
            if self.clock.trace_ns() - began > CAP_SECONDS * 1e9:
                backoff.reset()
            return _pause(error, backoff)
        return backoff.seconds()

    async def list_anew(self, backoff: Backoff) -> float:
        """List them once; return how many seconds to wait until the next time."""
        with self.spans.span(LIST) as span:
            try:
                nodes = await self.directory.nodes()
            except Exception as error:  # noqa: BLE001 - likewise
                self._fail("nodes.list_failed", error)
                span.fail(error)
                self.state = evolve(self.state, failure=_words(error))
                return max(min(backoff.seconds(), self.poll_seconds), _asked(error))
            backoff.reset()
            self._take(nodes, lists=1)
            span.attributes |= self._about()
        return self.poll_seconds

    def _record_list(self, began_ns: int, *, error: str = "") -> None:
        """Have a span of the list that a watch begins with."""
        self.spans.record(LIST, started_ns=began_ns, attributes=self._about(), error=error)

    def _about(self) -> Mapping[str, AttributeValue]:
        nodes = self.state.nodes
        return {
            "container_tracer.nodes": len(nodes.ready),
            "container_tracer.unready_nodes": len(nodes.unready),
        }

    async def _follow(self) -> None:
        backoff = self.backoff()
        while True:
            await self.clock.sleep(await self.follow(backoff))

    async def _relist(self) -> None:
        """List, again and again; the first time is left to who follows."""
        backoff, seconds = self.backoff(), self.poll_seconds
        while True:
            await self.clock.sleep(seconds)
            seconds = await self.list_anew(backoff)

    def _take(self, nodes: Nodes, *, lists: int) -> None:
        if self.state.failure:
            _log.info("nodes.known_again", seconds=self.age_seconds())
        if nodes != self.state.nodes:
            self._tell(nodes)
        self.state = evolve(
            self.state,
            nodes=nodes,
            known_ns=self.clock.trace_ns(),
            failure="",
            lists=self.state.lists + lists,
            changes=self.state.changes + (nodes != self.state.nodes),
        )
        self._known.set()

    def _tell(self, nodes: Nodes) -> None:
        before = {one.name for one in self.state.nodes.ready}
        after = {one.name for one in nodes.ready}
        _log.info(
            "nodes.changed",
            ready=len(nodes.ready),
            unready=len(nodes.unready),
            came=sorted(after - before)[:_NAMED],
            went=sorted(before - after)[:_NAMED],
        )

    def _fail(self, event: str, error: Exception) -> None:
        self.state = evolve(self.state, failures=self.state.failures + 1)
        if isinstance(error, DiscoveryFailed):
            _log.warning(event, error=_words(error))
        else:
            _log.error(event, error=_words(error), exc_info=error)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _pause(error: Exception, backoff: Backoff) -> float:
    return max(backoff.seconds(), _asked(error))


def _asked(error: Exception) -> float:
    return error.retry_after_seconds if isinstance(error, ClusterUnavailable) else 0.0
