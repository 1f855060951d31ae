"""Connections to a pod through the Kubernetes API, as `kubectl port-forward` makes them.

The protocol is that of kubelet (pkg/kubelet/server/portforward/websocket.go): every message
begins with the number of a channel, 0 for data and 1 for errors; the first message of each is
the port, two bytes, the lower one first.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import quote

import aiohttp
from attrs import define, field

from ...domain.model.quoting import printable
from ...domain.model.service_pod import ServicePod, choose_pod
from ...ports.errors import ClusterUnavailable
from .connection import KubernetesConnection

PROTOCOL = "v4.channel.k8s.io"
DATA, ERROR = b"\0", b"\1"
CHUNK_BYTES = 32 << 10
_PORT_BYTES = 2


@define(kw_only=True, eq=False)
class PortForward:
    """Dials a ready pod that has `labels`: another one, once the last could not be reached.

    `trouble` is what the cluster last said about a connection that failed. It is a context
    manager, at whose end every connection is closed.
    """

    connection: KubernetesConnection
    namespace: str
    labels: str
    trouble: str = ""
    _pod: ServicePod | None = None
    _failed: str = ""
    _pumps: "set[asyncio.Task[None]]" = field(factory=set)

    async def pod(self) -> ServicePod:
        """Return the pod that is dialled; raise `ClusterUnavailable` if there is none."""
        if self._pod is None:
            self._pod = await self._find()
        return self._pod

    async def dial(self) -> socket.socket:
        """Return a connection to the pod; raise `ClusterUnavailable`. The caller closes it."""
        pod = await self.pod()
        try:
            return await self._dial(pod)
        except ClusterUnavailable:
            self._forget()
            other = await self.pod()
            if other == pod:
                raise
            return await self._dial(other)

    async def close(self) -> None:
        """Hang up everywhere; again is harmless."""
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def _forget(self) -> None:
        self._failed, self._pod = self._pod.name if self._pod else "", None

    async def _find(self) -> ServicePod:
        path = f"/api/v1/namespaces/{quote(self.namespace, safe='')}/pods"
        listed = await self.connection.get(path, {"labelSelector": self.labels})
        pods = listed.get("items")
        found = choose_pod(pods if isinstance(pods, list) else (), avoid=self._failed)
        if isinstance(found, str):
            why = found or f"no pod has the label {self.labels}"
            raise ClusterUnavailable(
                f"No tracer-svc is ready in namespace {self.namespace} of the cluster at"
                f" {self.connection.address}: {why}."
            )
        return found

    async def _dial(self, pod: ServicePod) -> socket.socket:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        ours.setblocking(False)
        opened = asyncio.get_running_loop().create_future()
        pump = asyncio.create_task(self._serve(pod, theirs, opened), name=f"forward to {pod.name}")
        self._pumps.add(pump)
        pump.add_done_callback(self._pumps.discard)
        try:
            await opened
        except BaseException:
            pump.cancel()
            ours.close()
            raise
        return ours

    async def _serve(
        self, pod: ServicePod, end: socket.socket, opened: "asyncio.Future[None]"
    ) -> None:
        with end:
            try:
                async with self._stream(pod) as stream:
                    if not opened.done():
                        opened.set_result(None)
                    await _pump(stream, end)
            except ClusterUnavailable as error:
                self.trouble = str(error)
                if not opened.done():
                    opened.set_exception(error)
                else:
                    self._forget()

    @asynccontextmanager
    async def _stream(self, pod: ServicePod) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        namespace, name = quote(self.namespace, safe=""), quote(pod.name, safe="")
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/portforward"
        query = {"ports": str(pod.port)}
        async with self.connection.websocket(path, query, protocols=(PROTOCOL,)) as stream:
            if stream.protocol != PROTOCOL:
                raise ClusterUnavailable(
                    f"The Kubernetes API at {self.connection.address} does not speak {PROTOCOL},"
                    " which connections to pods are made with."
                )
            yield stream


async def _pump(stream: aiohttp.ClientWebSocketResponse, end: socket.socket) -> None:
    """Carry bytes both ways until either side has no more; raise `ClusterUnavailable`."""
    sending = asyncio.create_task(_send(stream, end), name="forward requests")
    try:
        await _receive(stream, end)
    finally:
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending


async def _send(stream: aiohttp.ClientWebSocketResponse, end: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    with suppress(OSError, aiohttp.ClientError):  # it is over; the other way says why
        while data := await loop.sock_recv(end, CHUNK_BYTES):
            await stream.send_bytes(DATA + data)
    await stream.close()


async def _receive(stream: aiohttp.ClientWebSocketResponse, end: socket.socket) -> None:
    loop, skipped = asyncio.get_running_loop(), {DATA: 0, ERROR: 0}
    async for message in stream:
        if message.type is not aiohttp.WSMsgType.BINARY or message.data[:1] not in skipped:
            continue
        channel, data = message.data[:1], message.data[1:]
        port = min(_PORT_BYTES - skipped[channel], len(data))
        skipped[channel] += port
        if not (rest := data[port:]):
            continue
        if channel == ERROR:
            said = printable(rest.decode(errors="replace")).strip()
            raise ClusterUnavailable(f"The cluster says: {said}.")
        try:
            await loop.sock_sendall(end, rest)
        except OSError:  # whoever asked has enough
            return
