"""Asking a container runtime who is here, or looking for oneself where none can be asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import structlog
from attrs import define, field, frozen

from ...ports.clock import Clock
from ...ports.container_runtimes import ContainerRuntime, ContainerRuntimes
from ...ports.errors import DiscoveryFailed, RuntimeUnsuitable
from ...ports.pod_discovery import PodDiscovery
from ..model.discovery_choice import DiscoveryChoice
from ..model.pod import Container, Pod
from .background import apart

AGAIN_SECONDS = 5.0
"""How often runtimes are looked for while none can be asked."""

FORCED = "It was asked for (--use-procfs)."
_NOT_YET = "No container runtime has been looked for yet."
_NONE = "No socket of a container runtime was found; name one with --cri-endpoint."

_log = structlog.get_logger()
_T = TypeVar("_T")


@frozen(kw_only=True)
class _Candidate:
    """A runtime that answers; `pods` is how many it has."""

    runtime: ContainerRuntime
    title: str
    pods: int


@define(kw_only=True, eq=False)
class ChosenDiscovery:
    """Asks a runtime if one can be asked, else `fallback`; `choice` says which, and why.

    Of several that answer it takes the first that knows `pod_name`, this tracer's own pod; without
    such a name the first that has pods. Whoever was taken is kept while it is away, as in a
    restart: questions raise `DiscoveryFailed` meanwhile. While there is none, `fallback` answers,
    and runtimes are looked for again every `AGAIN_SECONDS`.
    """

    runtimes: ContainerRuntimes
    fallback: PodDiscovery
    clock: Clock
    pod_name: str = ""
    forced: bool = False
    choice: DiscoveryChoice = field(init=False)
    name: str = field(init=False)
    _runtime: ContainerRuntime | None = field(default=None, init=False)
    _search: "asyncio.Task[None] | None" = field(default=None, init=False)
    _searched: bool = field(default=False, init=False)
    _again_ns: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        """Begin without a runtime."""
        self.name = self.fallback.name
        self.choice = DiscoveryChoice(name=self.name, reason=FORCED if self.forced else _NOT_YET)

    async def discover(self) -> tuple[Pod, ...]:
        """List the pods with their running containers; raise `DiscoveryFailed`."""
        return await self._ask(lambda one: one.discover())

    async def describe(self, container_id: str) -> Container | None:
        """Say what is known of a container that is being made; raise `DiscoveryFailed`."""
        return await self._ask(lambda one: one.describe(container_id))

    async def changes(self) -> AsyncIterator[None]:
        """Tell of changes as whoever is in use does; ask again after it ends: that may change."""
        chosen = await self._chosen()
        async for _ in chosen.changes():
            yield

    async def runtime_pids(self) -> tuple[int, ...]:
        """Return the pids of the daemons that start containers; empty if unknown."""
        chosen = await self._chosen()
        # A socket that systemd listens on does not tell whose it is; names of processes do.
        return await chosen.runtime_pids() or await self.fallback.runtime_pids()

    async def close(self) -> None:
        """Hang up, and look no more; again is harmless."""
        if self._search:
            self._search.cancel()
            await asyncio.gather(self._search, return_exceptions=True)
        if self._runtime:
            await self._runtime.close()

    async def _ask(self, question: Callable[[PodDiscovery], Awaitable[_T]]) -> _T:
        chosen = await self._chosen()
        try:
            return await question(chosen)
        except RuntimeUnsuitable as error:
            await self._do_without(chosen, str(error))
            return await question(self.fallback)

    async def _chosen(self) -> PodDiscovery:
        """Return whoever is in use. Only the first who asks waits for runtimes to be tried."""
        if self._runtime is None and not self.forced:
            if self._search is None and self.clock.trace_ns() >= self._again_ns:
                self._search = apart(self._look(), name="discovery.search")
            if self._search and not self._searched:
                await asyncio.shield(self._search)
        return self._runtime or self.fallback

    async def _look(self) -> None:
        try:
            candidates, reasons = await self._candidates()
            best = max(candidates, key=lambda one: bool(one.pods), default=None)
            for one in candidates:
                if one is not best:
                    await one.runtime.close()
            if best:
                self._take(best)
            else:
                self._fall_back(" ".join(reasons) or _NONE, expected=not reasons)
        finally:
            self._searched = True
            self._search = None
            self._again_ns = self.clock.trace_ns() + round(AGAIN_SECONDS * 1e9)

    async def _candidates(self) -> tuple[list[_Candidate], list[str]]:
        """Try all runtimes; return those that can be asked, and why the others cannot."""
        candidates, reasons = [], []
        for endpoint in await self.runtimes.endpoints():
            runtime = self.runtimes.open(endpoint)
            try:
                candidates.append(await self._tried(runtime, endpoint))
            except BaseException as error:
                await runtime.close()
                if not isinstance(error, DiscoveryFailed):
                    raise
                reasons.append(str(error))
        return candidates, reasons

    async def _tried(self, runtime: ContainerRuntime, endpoint: str) -> _Candidate:
        title = f"{await runtime.verify()} at {endpoint}"
        pods = await runtime.discover()
        if self.pod_name and self.pod_name not in {pod.name for pod in pods}:
            raise DiscoveryFailed(
                f"{title} does not know the pod of this tracer, {self.pod_name} (--pod-name)."
            )
        return _Candidate(runtime=runtime, title=title, pods=len(pods))

    def _take(self, best: _Candidate) -> None:
        self._runtime, self.name = best.runtime, best.runtime.name
        self.choice = DiscoveryChoice(name=self.name, runtime=best.title)
        _log.info("discovery.chosen", discovery=self.name, runtime=best.title, pods=best.pods)

    def _fall_back(self, reason: str, *, expected: bool) -> None:
        if reason != self.choice.reason:
            log = _log.info if expected else _log.warning
            log("discovery.fallback", discovery=self.fallback.name, reason=reason)
        self.name = self.fallback.name
        self.choice = DiscoveryChoice(name=self.name, reason=reason)

    async def _do_without(self, unsuitable: PodDiscovery, reason: str) -> None:
        """Give up a runtime that answers, but not what must be known."""
        if self._runtime and self._runtime is unsuitable:
            runtime, self._runtime = self._runtime, None
            self._fall_back(reason, expected=False)
            await runtime.close()
