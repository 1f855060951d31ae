"""A node that says what it is told to, byte by byte, whatever it is asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import define, field

from container_tracer.domain.model.nodes import Node


@define
class RawNode:
    """Says the bytes it is told to, one text per request, and closes where there is none left."""

    says: list[bytes]
    heard: list[bytes] = field(factory=list)
    slowly: bool = False
    connections: int = 0
    port: int = 0
    tasks: set["asyncio.Task[None]"] = field(factory=set)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            while self.says and (head := await reader.readuntil(b"\r\n\r\n")):
                self.heard.append(head)
                said = self.says.pop(0)
                for piece in (bytes([byte]) for byte in said) if self.slowly else (said,):
                    writer.write(piece)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def end(self) -> None:
        """Hang up on everybody, and see the end of it."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    @property
    def node(self) -> Node:
        return Node(name="a", host="127.0.0.1", port=self.port)


@asynccontextmanager
async def raw(
    *says: bytes, host: str = "127.0.0.1", slowly: bool = False
) -> AsyncIterator[RawNode]:
    node = RawNode(list(says), slowly=slowly)
    server = await asyncio.start_server(node.talk, host, 0)
    node.port = server.sockets[0].getsockname()[1]
    async with server:
        yield node
        await node.end()
