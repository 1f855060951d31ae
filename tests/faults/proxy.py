"""A proxy on loopback between exporters and a collector, with the faults of networks."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, TypeAlias

from attrs import define, field

from .exchanges import HEADERS, MARK, Exchange, Exchanges, Fault, Frame

DOWN_SECONDS = 0.06
SLOW_SECONDS = 0.03
PREFACE_BYTES = 24
"""What an HTTP/2 connection begins with (RFC 9113, 3.4)."""


@define(eq=False)
class Stream:
    """One of the two connections that a proxy holds together."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    ended: bool = False

    async def send(self, data: bytes) -> None:
        if not self.ended:
            self.writer.write(data)
            await self.writer.drain()

    def end(self) -> None:
        """Say that nothing more will be said."""
        self.ended = True
        self.writer.write_eof()

    async def trickle(self, data: bytes) -> None:
        """Send byte by byte; whoever gets the last one has not had time to answer yet."""
        for byte in data:
            await asyncio.sleep(0)
            await self.send(bytes([byte]))

    def reset(self) -> None:
        """Send a reset rather than an end."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the other side hangs up, whatever it says until then."""
        while await self.reader.read(1 << 16):
            pass


@define(eq=False)
class Link:
    """A client's connection, and the one to the collector that belongs to it."""

    client: Stream
    collector: Stream
    proxy: "FaultProxy"

    @property
    def exchanges(self) -> Exchanges:
        return self.proxy.exchanges

    def some(self, data: bytes) -> bytes:
        """Choose a beginning of the data, neither none nor all of it."""
        return data[: self.exchanges.drawn.randrange(1, max(2, len(data)))]

    async def talk_garbage(self) -> None:
        await self.client.send(
            self.exchanges.drawn.randbytes(self.exchanges.drawn.randrange(1, 300))
        )


Relay: TypeAlias = Callable[[Link], Awaitable[None]]
"""Serves a client until one side hangs up, or a fault has it so."""


async def http1(link: Link) -> None:
    """Pass requests on one after the other."""
    while True:
        head = await link.client.reader.readuntil(b"\r\n\r\n")
        exchange = link.exchanges.begin()
        length = _length(head)
        match exchange.fault:
            case Fault.REFUSES:
                return link.proxy.go_down()
            case Fault.IGNORES:
                return await link.client.gone()
            case Fault.RESETS_REQUEST:
                part = await link.client.reader.readexactly(length // 2)
                await link.collector.send(_marked(head, exchange) + part)
                return link.client.reset()
        body = await link.client.reader.readexactly(length)
        if exchange.fault is Fault.TALKS_GARBAGE:
            return await link.talk_garbage()
        await link.collector.send(_marked(head, exchange) + body)
        if not await _answer(link, exchange):
            return None


async def _answer(link: Link, exchange: Exchange) -> bool:
    """Pass an answer on, or not; tell whether the connection is of use any more."""
    if exchange.fault is Fault.CLOSES_HALF:
        link.client.end()
    answer = await read_message(link.collector.reader)
    match exchange.fault:
        case Fault.CLOSES_HALF | Fault.SWALLOWS_ANSWER:
            await link.client.gone()
        case Fault.RESETS_ANSWER:
            link.client.reset()
        case Fault.BREAKS_ANSWER:
            part = link.some(answer)
            await link.client.send(part)
            if b"\r\n\r\n" in part:
                link.exchanges.answer(exchange, cut=True)
        case _:
            head, end, body = answer.partition(b"\r\n\r\n")
            await _deliver(link.client, head + end, exchange)
            link.exchanges.answer(exchange, cut=True)
            again = answer if exchange.fault is Fault.ANSWERS_TWICE else b""
            await _deliver(link.client, body + again, exchange)
            link.exchanges.answer(exchange)
            return True
    return False


async def _deliver(client: Stream, answer: bytes, exchange: Exchange) -> None:
    if exchange.fault is Fault.SLOW:
        await asyncio.sleep(SLOW_SECONDS)
    if exchange.fault is Fault.TRICKLES:
        await client.trickle(answer)
    else:
        await client.send(answer)


async def read_message(reader: asyncio.StreamReader) -> bytes:
    """Read a request or an answer of HTTP/1.1, which says how long it is."""
    head = await reader.readuntil(b"\r\n\r\n")
    return head + await reader.readexactly(_length(head))


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise ValueError(f"nobody says how long it is: {head!r}")


def _marked(head: bytes, exchange: Exchange) -> bytes:
    return head.removesuffix(b"\r\n") + f"{MARK}: {exchange.number}\r\n\r\n".encode()


async def http2(link: Link) -> None:
    """Pass frames on, both ways at once."""
    await link.collector.send(await link.client.reader.readexactly(PREFACE_BYTES))
    streams: dict[int, Exchange] = {}
    async with AsyncExitStack() as stack:
        ways = [
            await stack.enter_async_context(_running(way(link, streams)))
            for way in (_pass_requests, _pass_answers)
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)


async def _pass_requests(link: Link, streams: dict[int, Exchange]) -> None:
    while True:
        frame = await _frame(link.client.reader)
        exchange = streams.get(frame.stream)
        if frame.kind == HEADERS and exchange is None:
            exchange = streams[frame.stream] = link.exchanges.begin()
            match exchange.fault:
                case Fault.REFUSES:
                    return link.proxy.go_down()
                case Fault.IGNORES:
                    return await link.client.gone()
                case Fault.TALKS_GARBAGE:
                    return await link.talk_garbage()
            frame = frame.with_header(MARK, str(exchange.number))
        elif exchange is not None and exchange.fault is Fault.RESETS_REQUEST:
            await link.collector.send(link.some(frame.data))
            return link.client.reset()
        await link.collector.send(frame.data)
        if exchange and exchange.fault is Fault.CLOSES_HALF and frame.ends_stream:
            link.client.end()


async def _pass_answers(link: Link, streams: dict[int, Exchange]) -> None:
    while True:
        frame = await _frame(link.collector.reader)
        exchange = streams.get(frame.stream)
        if exchange is None:
            await link.client.send(frame.data)
            continue
        match exchange.fault:
            case Fault.RESETS_ANSWER if frame.ends_stream:
                return link.client.reset()
            case Fault.BREAKS_ANSWER if frame.ends_stream:
                return await link.client.send(link.some(frame.data))
            case Fault.RESETS_ANSWER | Fault.SWALLOWS_ANSWER | Fault.CLOSES_HALF:
                continue
        await _deliver(link.client, frame.data, exchange)
        if frame.ends_stream:
            link.exchanges.answer(exchange)


async def _frame(reader: asyncio.StreamReader) -> Frame:
    head = await reader.readexactly(9)
    return Frame(head, await reader.readexactly(int.from_bytes(head[:3], "big")))


@define(kw_only=True, eq=False)
class FaultProxy:
    """Listens from `start` to `stop`, at one port; `relay` is of the protocol it knows.

    `_place` keeps the port from others while nobody listens.
    """

    exchanges: Exchanges
    relay: Relay
    collector_port: int
    _place: socket.socket = field(init=False)
    _server: asyncio.Server | None = None
    _links: set[Link] = field(factory=set)
    _tasks: "set[asyncio.Task[None]]" = field(factory=set)
    _coming_up: asyncio.TimerHandle | None = None

    def __attrs_post_init__(self) -> None:
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._place.bind(("127.0.0.1", 0))

    @property
    def port(self) -> int:
        number: int = self._place.getsockname()[1]
        return number

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, reuse_port=True
        )

    async def stop(self) -> None:
        self._hang_up()
        if self._coming_up is not None:
            self._coming_up.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._hang_up()
        self._place.close()

    def go_down(self) -> None:
        """Hang up on everybody, and let nobody in for a while."""
        self._hang_up()
        loop = asyncio.get_running_loop()
        self._coming_up = loop.call_later(DOWN_SECONDS, lambda: self._leave(self.start()))

    def _hang_up(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for link in list(self._links):
            link.client.reset()

    def _leave(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        client = Stream(reader, writer)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                async with _connected(self.collector_port) as collector:
                    await self._relay(Link(client, collector, self))
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _relay(self, link: Link) -> None:
        self._links.add(link)
        try:
            await self.relay(link)
        finally:
            self._links.discard(link)


@asynccontextmanager
async def fault_proxy(exchanges: Exchanges, relay: Relay, collector: str) -> AsyncIterator[str]:
    """Stand before the collector with this URL; give the proxy's."""
    scheme, _, port = collector.rpartition(":")
    proxy = FaultProxy(exchanges=exchanges, relay=relay, collector_port=int(port))
    await proxy.start()
    try:
        yield f"{scheme}:{proxy.port}"
    finally:
        await proxy.stop()


@asynccontextmanager
async def _connected(port: int) -> AsyncIterator[Stream]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Stream(reader, writer)
    finally:
        writer.close()


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await task
