"""The calls of `runtime.v1` that are needed, over one channel."""

import asyncio
from collections.abc import Iterable
from typing import Self

import grpc
import grpc.aio
from attrs import field, frozen
from cri_api.v1 import api_pb2 as cri
from cri_api.v1.api_pb2_grpc import RuntimeServiceStub

from ... import __version__
from ...domain.model.cri import CriContainer, CriDetails, CriSandbox
from .errors import cri_errors
from .messages import container_of, details_of, sandbox_of

DEADLINE_SECONDS = 5.0
"""A list takes 0.5 ms, a status 1.3 ms, of a runtime that is not busy."""

VERSION_SECONDS = 2.0
"""Whoever hangs must not hold up the others that may be asked instead."""

AT_ONCE = 16
"""Statuses asked for at the same time."""

LONGEST_ANSWER = 16 << 20
"""Bytes; as the kubelet has it."""

_OPTIONS = (
    ("grpc.primary_user_agent", f"container-tracer/{__version__}"),
    ("grpc.max_receive_message_length", LONGEST_ANSWER),
    ("grpc.default_authority", "localhost"),
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.use_local_subchannel_pool", 1),
    # gRPC's own wait before it connects again grows to two minutes, in which calls just fail.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)


def open_channel(endpoint: str) -> grpc.aio.Channel:
    """Prepare to connect to a UNIX socket; a channel connects anew by itself."""
    return grpc.aio.insecure_channel(f"unix:{endpoint}", options=_OPTIONS)


@frozen(eq=False)
class CriCalls:
    """Asks one runtime; every call has a deadline, and raises `DiscoveryFailed`."""

    endpoint: str
    _runtime: RuntimeServiceStub
    _room: asyncio.Semaphore = field(factory=lambda: asyncio.Semaphore(AT_ONCE))

    @classmethod
    def over(cls, channel: grpc.aio.Channel, endpoint: str) -> Self:
        """Ask over a channel."""
        return cls(endpoint, RuntimeServiceStub(channel))  # type: ignore[no-untyped-call]

    async def version(self) -> tuple[str, str]:
        """Return the runtime's name and version."""
        with cri_errors(self.endpoint):
            said = await self._runtime.Version(cri.VersionRequest(), timeout=VERSION_SECONDS)
        return said.runtime_name, said.runtime_version

    async def sandboxes(self, sandbox_id: str = "") -> list[CriSandbox]:
        """List all sandboxes, or the one of that id."""
        request = cri.ListPodSandboxRequest(filter=cri.PodSandboxFilter(id=sandbox_id))
        with cri_errors(self.endpoint):
            said = await self._runtime.ListPodSandbox(request, timeout=DEADLINE_SECONDS)
        return [sandbox_of(one) for one in said.items]

    async def containers(self, container_id: str = "") -> list[CriContainer]:
        """List all containers, in whatever state, or the one of that id."""
        request = cri.ListContainersRequest(filter=cri.ContainerFilter(id=container_id))
        with cri_errors(self.endpoint):
            said = await self._runtime.ListContainers(request, timeout=DEADLINE_SECONDS)
        return [container_of(one) for one in said.containers]

    async def details(self, container_ids: Iterable[str]) -> dict[str, CriDetails]:
        """Ask for what is known of containers, by id; those that are gone are left out."""
        ids = tuple(container_ids)
        found = await asyncio.gather(*(self._details(one) for one in ids))
        return {one: said for one, said in zip(ids, found, strict=True) if said}

    async def _details(self, container_id: str) -> CriDetails | None:
        request = cri.ContainerStatusRequest(container_id=container_id, verbose=True)
        async with self._room:
            with cri_errors(self.endpoint):
                try:
                    said = await self._runtime.ContainerStatus(request, timeout=DEADLINE_SECONDS)
                except grpc.aio.AioRpcError as error:
                    if error.code() is grpc.StatusCode.NOT_FOUND:
                        return None
                    raise
        return details_of(said)
