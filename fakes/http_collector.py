"""A collector of spans on loopback that speaks plain HTTP, and fails in every way one can."""

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from types import TracebackType
from typing import Self

from attrs import define, field, frozen


class Manners(Enum):
    """How a collector deals with a request: only the first is as it should be."""

    ANSWERS = "reads it and answers"
    HANGS = "reads it and never answers"
    HANGS_UP = "reads it and closes the connection"
    BREAKS_OFF = "closes the connection in the middle of its answer"
    TALKS_NONSENSE = "reads it and answers with no HTTP"


@frozen(kw_only=True)
class Answer:
    """What a collector answers."""

    status: int = 202
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = b""
    manners: Manners = Manners.ANSWERS


@frozen(kw_only=True)
class Posted:
    """What was posted, and what the answer was; names of headers are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    answer: Answer

    @property
    def taken(self) -> bool:
        """Tell whether the collector said that it has got it."""
        return self.answer.status // 100 == 2 and self.answer.manners is Manners.ANSWERS  # noqa: PLR2004 - 2xx


@define(eq=False)
class FakeHttpCollector:
    """Keeps what is posted in `posted`, and gives `answers`, one after the other, then `answer`.

    As an async context manager it listens from the beginning to the end; in between it may be
    stopped and started, at the same port.
    """

    answer: Answer = field(factory=Answer)
    answers: deque[Answer] = field(factory=deque)
    posted: list[Posted] = field(factory=list)
    connections: int = 0
    port: int = 0
    host: str = "127.0.0.1"
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(factory=set)
    _heard: asyncio.Event = field(factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}:{self.port}"

    @property
    def taken(self) -> list[Posted]:
        """What it said it has got."""
        return [one for one in self.posted if one.taken]

    async def hears(self) -> None:
        """Wait until something was posted."""
        await self._heard.wait()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections, and hang up."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            for writer in list(self._open):
                writer.close()
            await server.wait_closed()

    async def __aenter__(self) -> Self:
        """Listen."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while await self._handle(reader, writer):
                    pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Take a request; tell whether to go on."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in head[1:] if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        answer = self.answers.popleft() if self.answers else self.answer
        path = head[0].split(" ")[1]
        self.posted.append(Posted(path=path, headers=headers, body=body, answer=answer))
        self._heard.set()
        return await self._reply(answer, reader, writer)

    async def _reply(
        self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if answer.manners is Manners.HANGS:
            await reader.read()  # until the other side hangs up
        if answer.manners in (Manners.HANGS, Manners.HANGS_UP):
            return False
        writer.write(_bytes_of(answer))
        await writer.drain()
        return answer.manners is Manners.ANSWERS


def _bytes_of(answer: Answer) -> bytes:
    if answer.manners is Manners.TALKS_NONSENSE:
        return b"\x00\xffnonsense\r\n\r\n"
    headers = {"Content-Length": str(len(answer.body)), **answer.headers}
    lines = [f"HTTP/1.1 {answer.status} Said", *(f"{name}: {headers[name]}" for name in headers)]
    whole = "\r\n".join(lines).encode() + b"\r\n\r\n" + answer.body
    return whole if answer.manners is Manners.ANSWERS else whole[:12]
