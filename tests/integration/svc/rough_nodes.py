"""Things that listen like nodes, and have no manners, or bad ones."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import aiohttp
from attrs import define, field

Manners: TypeAlias = Callable[["RoughNode", asyncio.StreamWriter], Awaitable[None]]


@define(eq=False)
class RoughNode:
    """Something that listens like a node, and deals with each request as `manners` say.

    `asked` counts requests, `left` those whose client hung up, `sent` bytes of what goes on.
    """

    manners: Manners
    where: str = ""
    asked: int = 0
    left: int = 0
    sent: int = 0
    go: asyncio.Event = field(factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.asked += 1
                await self._deal(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()
            await asyncio.sleep(0)  # what was written is on its way, or nobody reads it
            writer.transport.abort()

    async def _deal(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Follow the manners until they are done, or whoever asked has gone."""
        manners = asyncio.ensure_future(self.manners(self, writer))
        gone = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait([manners, gone], return_when=asyncio.FIRST_COMPLETED)
            if not manners.done() or manners.exception():
                self.left += 1
                raise ConnectionResetError
        finally:
            for one in (manners, gone):
                one.cancel()
            await asyncio.gather(manners, gone, return_exceptions=True)

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def says(head: str, body: bytes = b"") -> Manners:
    """Answer this, and hang up."""

    async def manners(_node: RoughNode, writer: asyncio.StreamWriter) -> None:
        writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    return manners


def pods(*names: str) -> Manners:
    """Answer as a good node with these pods, and keep the connection."""
    body = json.dumps({name: {"Containers": {}} for name in names}).encode()
    head = f"HTTP/1.1 200 OK\nContent-Type: application/json\nContent-Length: {len(body)}\n\n"

    async def manners(_node: RoughNode, writer: asyncio.StreamWriter) -> None:
        writer.write(head.replace("\n", "\r\n").encode() + body)
        await writer.drain()

    return manners


async def hangs(node: RoughNode, _writer: asyncio.StreamWriter) -> None:
    """Answer nothing."""
    await node.go.wait()


def goes_on(head: str, first: bytes, piece: bytes) -> Manners:
    """Answer this, and then pieces as fast as they are taken, without an end."""

    async def manners(node: RoughNode, writer: asyncio.StreamWriter) -> None:
        writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + first)
        while True:
            writer.write(piece)
            await writer.drain()
            node.sent += len(piece)

    return manners


StartRough: TypeAlias = Callable[..., Awaitable[RoughNode]]


async def until(true: Callable[[], bool], what: str, seconds: float = 15) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not true():  # noqa: ASYNC110 - what happens in other processes sets no event
                await asyncio.sleep(0.02)
    assert true(), f"waited in vain for {what}"


async def at_rest(count: Callable[[], int]) -> int:
    """Wait until nothing is counted any more."""
    same, last = 0, count()
    while same < 25:
        await asyncio.sleep(0.02)
        same, last = (same + 1 if count() == last else 0), count()
    return last


@asynccontextmanager
async def events(url: str, session: str) -> AsyncIterator[aiohttp.ClientResponse]:
    """Watch a session as lines of JSON."""
    timeout, accept = aiohttp.ClientTimeout(total=60), {"Accept": "application/x-ndjson"}
    path = f"{url}/v1/trace-session/{session}/events"
    async with (
        aiohttp.ClientSession(timeout=timeout) as http,
        http.get(path, headers=accept) as answer,
    ):
        yield answer
