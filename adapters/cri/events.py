"""containerd's own events: that something began or ended, without what.

`GetContainerEvents` of the CRI is not used: containerd 1.6 does not have it, and in 1.7 all who
listen share one queue, so that we would take events away from the kubelet. This service gives
every event to everybody.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import grpc
import grpc.aio
from attrs import frozen

SUBSCRIBE = "/containerd.services.events.v1.Events/Subscribe"

NAMESPACE = "k8s.io"
"""That of containerd in which its CRI plugin keeps everything."""

TOPICS = ("/tasks/start", "/tasks/delete", "/containers/create", "/containers/delete")
"""Not `/tasks/exit`, which comes for every exec too."""

ECHO_SECONDS = (0.05, 0.15, 0.8)
"""Pauses after which an event is told again: it comes before the CRI knows of what it tells."""

PAUSE_SECONDS = 0.25
"""Before a stream that broke is asked for again."""

_REFUSED = frozenset(
    {
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
    }
)


@frozen(eq=False)
class ContainerdEvents:
    """Tells over a channel that something happened; survives restarts of the runtime."""

    _channel: grpc.aio.Channel

    async def changes(self) -> AsyncIterator[None]:
        """Give an item for every event, or for several; end where there is no such service.

        There are more items than events: after each connection too, and echoes.
        """
        while True:
            await self._channel.channel_ready()
            subscribe: grpc.aio.UnaryStreamMultiCallable[bytes, bytes]
            subscribe = self._channel.unary_stream(SUBSCRIBE)
            call = subscribe(subscription(TOPICS))
            async with aclosing(_with_echoes(call)) as items:
                async for _ in items:
                    yield
            if await call.code() in _REFUSED:
                return
            await asyncio.sleep(PAUSE_SECONDS)


async def _with_echoes(
    call: "grpc.aio.UnaryStreamCall[bytes, bytes]",
) -> AsyncGenerator[None, None]:
    """Give items for a stream until it ends; one at its beginning, as if something had come."""
    arrived = asyncio.Event()
    arrived.set()
    reading = asyncio.create_task(_read(call, arrived), name="cri.events")
    pauses = iter(ECHO_SECONDS)
    try:
        while not reading.done():
            try:
                async with asyncio.timeout(next(pauses, None)):
                    await arrived.wait()
            except TimeoutError:
                yield
                continue
            arrived.clear()
            yield
            pauses = iter(ECHO_SECONDS)
    finally:
        call.cancel()
        await reading


async def _read(call: "grpc.aio.UnaryStreamCall[bytes, bytes]", arrived: asyncio.Event) -> None:
    try:
        async for _ in call:
            arrived.set()
    except (grpc.aio.AioRpcError, asyncio.CancelledError):
        pass  # whoever called asks the call why it ended
    finally:
        arrived.set()


def subscription(topics: tuple[str, ...]) -> bytes:
    """Encode a `SubscribeRequest`: field 1, a text each, for what to be told of.

    That is all the protocol there is to speak, since answers are not looked at; each text is
    shorter than the 128 bytes from which on its length takes two.
    """
    filters = [f'topic=="{topic}",namespace=="{NAMESPACE}"'.encode() for topic in topics]
    return b"".join(b"\x0a" + bytes([len(one)]) + one for one in filters)
