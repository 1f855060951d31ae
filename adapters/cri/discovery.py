"""Discovery of pods and containers through the CRI."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from typing import Self, TypeVar

import grpc.aio
from attrs import define, field

from ...domain.model.cri import (
    CriContainer,
    CriDetails,
    CriSandbox,
    CriState,
    cri_container,
    cri_pods,
)
from ...domain.model.pod import Container, Pod
from ...ports.errors import DiscoveryFailed, RuntimeUnsuitable
from .calls import CriCalls, open_channel
from .events import ContainerdEvents
from .peer import listener_pid

REMEMBERED = 256
"""So many of those that are not listed any more are remembered."""

_INIT = 1
_DOCKER = "docker"

_One = TypeVar("_One")


@define(kw_only=True, eq=False)
class CriPodDiscovery:
    """Asks one runtime; lives until `close`, in one event loop, whatever becomes of the runtime.

    It remembers what it was told of the containers that the runtime lists, and of the latest of
    those that are gone.
    """

    endpoint: str
    name: str = field(default="cri", init=False)
    _channel: grpc.aio.Channel
    _calls: CriCalls
    _runtime: str = field(default="", init=False)
    _details: Mapping[str, CriDetails] = field(factory=dict, init=False)
    _containers: dict[str, CriContainer] = field(factory=dict, init=False)
    _sandboxes: dict[str, CriSandbox] = field(factory=dict, init=False)

    @classmethod
    def open(cls, endpoint: str) -> Self:
        """Prepare to ask whoever listens on a UNIX socket; nothing is sent yet."""
        channel = open_channel(endpoint)
        return cls(endpoint=endpoint, channel=channel, calls=CriCalls.over(channel, endpoint))

    async def verify(self) -> str:
        """Return the runtime's name and version; raise `DiscoveryFailed`."""
        self._runtime, version = await self._calls.version()
        return f"{self._runtime} {version}".strip()

    async def discover(self) -> tuple[Pod, ...]:
        """List the pods with their running containers, oldest first; raise `DiscoveryFailed`."""
        if not self._runtime:
            await self.verify()
        # In this order every container listed has its sandbox listed.
        containers = {one.container_id: one for one in await self._calls.containers()}
        sandboxes = {one.sandbox_id: one for one in await self._calls.sandboxes()}
        details = {one: said for one, said in self._details.items() if one in containers}
        running = [one for one, it in containers.items() if it.state is CriState.RUNNING]
        found = await self._calls.details(one for one in running if one not in details)
        self._refuse_silence(found)
        # What has no pid yet may get one; the pid of a container never changes.
        details |= {one: said for one, said in found.items() if said.pid}
        self._meet(containers.values(), sandboxes.values())
        self._details = details
        return cri_pods(sandboxes.values(), containers.values(), details, runtime=self._runtime)

    async def describe(self, container_id: str) -> Container | None:
        """Ask what is known of a container, in whatever state; None if it is none.

        One that was removed already is known if it was listed before. Raises `DiscoveryFailed`.
        """
        if not self._runtime:
            await self.verify()
        listed, details = await asyncio.gather(
            self._calls.containers(container_id), self._calls.details([container_id])
        )
        container = listed[0] if listed else self._containers.get(container_id)
        if container is None:
            return None
        sandbox = await self._sandbox(container.sandbox_id)
        if sandbox is None:
            return None
        known = details.get(container_id) or self._details.get(container_id) or CriDetails()
        return cri_container(container, sandbox, known, runtime=self._runtime)

    async def changes(self) -> AsyncIterator[None]:
        """Tell of starts and ends, where the runtime is a containerd; see `events`.

        A container that has been created is asked for at once: it may be gone before anybody
        asks for it by its id.
        """
        async for _ in ContainerdEvents(self._channel).changes():
            with suppress(DiscoveryFailed):
                self._meet(await self._calls.containers(), await self._calls.sandboxes())
            yield

    async def runtime_pids(self) -> tuple[int, ...]:
        """Return the pid of who listens on the socket, if that makes the containers.

        The init of the machine does not, nor does cri-dockerd: Docker's containerd does.
        """
        if self._runtime == _DOCKER:
            return ()
        pid = await asyncio.to_thread(listener_pid, self.endpoint)
        return (pid,) if pid > _INIT else ()

    async def close(self) -> None:
        """Hang up; again is harmless."""
        await self._channel.close()

    def _meet(self, containers: Iterable[CriContainer], sandboxes: Iterable[CriSandbox]) -> None:
        """Remember what is listed, and for a while what was."""
        _keep(self._containers, {one.container_id: one for one in containers})
        _keep(self._sandboxes, {one.sandbox_id: one for one in sandboxes})

    async def _sandbox(self, sandbox_id: str) -> CriSandbox | None:
        known = self._sandboxes.get(sandbox_id)
        return known or next(iter(await self._calls.sandboxes(sandbox_id)), None)

    def _refuse_silence(self, found: Mapping[str, CriDetails]) -> None:
        if found and all(one.pid is None for one in found.values()):
            raise RuntimeUnsuitable(
                f"The container runtime at {self.endpoint}, {self._runtime}, does not say which"
                " processes its containers have."
            )


def _keep(known: dict[str, _One], listed: Mapping[str, _One]) -> None:
    """Put what is listed behind what is not any more, and forget the oldest of that."""
    gone = [one for one in known if one not in listed]
    for one in (*gone[:-REMEMBERED], *listed):
        known.pop(one, None)
    known.update(listed)
