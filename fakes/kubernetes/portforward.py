"""Connections to pods, as kubelet serves them over WebSockets."""

import asyncio
from contextlib import suppress

from aiohttp import WSMsgType, web
from attrs import define, field

from .calls import PODS, Call
from .objects import Objects
from .statuses import Refused

PROTOCOLS = ("v4.channel.k8s.io",)
DATA, ERROR = b"\0", b"\1"


@define(kw_only=True, eq=False)
class FakePortForward:
    """Leads to what really listens: `targets` are host and port of pods, by name and port.

    A subresource of `FakeKubernetesApi`. Where nothing listens it says so as kubelet does.
    `protocols` is what it speaks, `carried` how many connections it made to each pod, `open`
    those there are now.
    """

    objects: Objects
    targets: dict[tuple[str, int], tuple[str, int]] = field(factory=dict)
    protocols: tuple[str, ...] = PROTOCOLS
    carried: dict[str, int] = field(factory=dict)
    open: set[web.WebSocketResponse] = field(factory=set)

    async def __call__(self, request: web.Request, call: Call) -> web.StreamResponse:
        """Answer a request for `portforward` of a pod."""
        pod = self.objects.find(PODS, call.namespace, call.name)
        if pod["status"]["phase"] != "Running":
            raise Refused(400, "BadRequest", f"pod {call.name} is not running")
        port = call.query.get("ports", "")
        if not port.isdecimal():
            raise Refused(400, "BadRequest", "query parameter 'ports' is required")
        stream = web.WebSocketResponse(protocols=self.protocols, timeout=0.1)
        await stream.prepare(request)
        self.open.add(stream)
        try:
            await self._forward(stream, call.name, int(port))
        finally:
            self.open.discard(stream)
        return stream

    async def _forward(self, stream: web.WebSocketResponse, pod: str, port: int) -> None:
        for channel in (DATA, ERROR):
            await stream.send_bytes(channel + port.to_bytes(2, "little"))
        try:
            reader, writer = await asyncio.open_connection(*self.targets[pod, port])
        except (OSError, KeyError) as error:
            text = f"error forwarding port {port} to pod {pod}: failed to connect: {error}"
            await stream.send_bytes(ERROR + text.encode())
            await stream.close()
            return
        self.carried[pod] = self.carried.get(pod, 0) + 1
        replies = asyncio.create_task(_replies(stream, reader), name="forward replies")
        try:
            async for message in stream:
                if message.type is WSMsgType.BINARY and message.data[:1] == DATA:
                    writer.write(message.data[1:])
                    await writer.drain()
        except OSError:
            await stream.close()
        finally:
            replies.cancel()
            writer.close()


async def _replies(stream: web.WebSocketResponse, reader: asyncio.StreamReader) -> None:
    with suppress(OSError):
        while data := await reader.read(32 << 10):
            await stream.send_bytes(DATA + data)
    await stream.close()
