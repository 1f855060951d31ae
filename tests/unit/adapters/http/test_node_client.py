"""What a node sends is taken for what it is, and leads nowhere else."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from attrs import define, field

from container_tracer.adapters.http.node_client import HttpNodeClient
from container_tracer.domain.model.nodes import Node
from container_tracer.ports.errors import NodeUnreachable
from container_tracer.ports.node_client import NodeRequest

PODS = NodeRequest(method="GET", target="/v1/pods")
FULL = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@define
class RawNode:
    """Says the bytes it is told to, one text per request, and closes where there is none left."""

    says: list[bytes]
    heard: list[bytes] = field(factory=list)
    connections: int = 0
    port: int = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self.says and (head := await reader.readuntil(b"\r\n\r\n")):
                self.heard.append(head)
                writer.write(self.says.pop(0))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @property
    def node(self) -> Node:
        return Node(name="a", host="127.0.0.1", port=self.port)


@asynccontextmanager
async def raw(*says: bytes, host: str = "127.0.0.1") -> AsyncIterator[RawNode]:
    node = RawNode(list(says))
    server = await asyncio.start_server(node.talk, host, 0)
    node.port = server.sockets[0].getsockname()[1]
    async with server:
        yield node


@pytest.fixture
async def client() -> AsyncIterator[HttpNodeClient]:
    one = HttpNodeClient(max_answer_bytes=1000)
    yield one
    await one.close()


async def failure(client: HttpNodeClient, *says: bytes, seconds: float = 20) -> str:
    async with raw(*says) as node:
        with pytest.raises(NodeUnreachable) as caught:
            await client.ask(node.node, PODS, seconds=seconds)
    return str(caught.value)


async def test_a_connection_is_kept_for_the_next_request(client: HttpNodeClient) -> None:
    async with raw(FULL, FULL, FULL) as node:
        for _ in range(3):
            assert (await client.ask(node.node, PODS, seconds=20)).body == b"{}"
    assert node.connections == 1


async def test_a_connection_that_was_closed_meanwhile_is_no_failure(client: HttpNodeClient) -> None:
    async with raw(FULL) as node:
        await client.ask(node.node, PODS, seconds=20)
        node.says.append(FULL)
        assert (await client.ask(node.node, PODS, seconds=20)).status == 200
    assert node.connections == 2


async def test_nothing_is_sent_but_what_is_chosen(client: HttpNodeClient) -> None:
    async with raw(FULL) as node:
        await client.ask(node.node, PODS, seconds=20)
    first, *headers = node.heard[0].decode().strip().split("\r\n")
    assert first == "GET /v1/pods HTTP/1.1"
    names = {one.partition(":")[0] for one in headers}
    assert names == {"Host", "User-Agent", "Accept", "Accept-Encoding"}
    assert "Accept-Encoding: identity" in headers


async def test_cookies_are_not_kept(client: HttpNodeClient) -> None:
    cookie = FULL.replace(b"\r\n", b"\r\nSet-Cookie: a=1; Path=/\r\n", 1)
    async with raw(cookie, FULL) as node:
        for _ in range(2):
            await client.ask(node.node, PODS, seconds=20)
    assert b"ookie" not in b"".join(node.heard)


async def test_a_redirection_is_not_followed(client: HttpNodeClient) -> None:
    async with raw(FULL) as other:
        there = f"http://127.0.0.1:{other.port}/v1/pods".encode()
        moved = b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % there
        async with raw(moved) as node:
            assert (await client.ask(node.node, PODS, seconds=20)).status == 302
    assert other.heard == []


async def test_proxies_of_the_environment_are_not_used(
    client: HttpNodeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with raw(FULL) as proxy, raw(FULL) as node:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        await client.ask(node.node, PODS, seconds=20)
    assert proxy.heard == []


async def test_a_node_may_have_an_address_of_ipv6(client: HttpNodeClient) -> None:
    async with raw(FULL, host="::1") as node:
        there = Node(name="a", host="::1", port=node.port)
        assert (await client.ask(there, PODS, seconds=20)).status == 200
        assert f"Host: [::1]:{node.port}".encode() in node.heard[0]


async def test_a_node_that_is_not_there_refuses(client: HttpNodeClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NodeUnreachable, match=f"^refuses connections at 127.0.0.1:{port}$"):
        await client.ask(Node(name="a", host="127.0.0.1", port=port), PODS, seconds=20)


async def test_an_answer_that_is_too_large_is_not_taken(client: HttpNodeClient) -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 5000
    assert "more than" in await failure(client, endless)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "closed the connection before it had answered"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "broke its answer off"),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "answers with what is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: %s\r\n\r\n" % (b"x" * 100_000), "answers with what is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", ""),
    ],
)
async def test_nonsense_is_a_failure_with_a_reason(
    client: HttpNodeClient, said: bytes, why: str
) -> None:
    if why:
        assert await failure(client, said) == why
    else:
        async with raw(said) as node:
            assert (await client.ask(node.node, PODS, seconds=20)).body == b"{}"


async def test_a_stream_that_falls_silent_is_broken_off(client: HttpNodeClient) -> None:
    begun = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n{}\n"
    async with (
        raw(begun, FULL) as node,
        client.stream(node.node, PODS, seconds=20, silence_seconds=0.2) as stream,
    ):
        chunks = aiter(stream.chunks())
        assert await anext(chunks) == b"{}\n"
        with pytest.raises(NodeUnreachable, match=r"0\.2 s"):
            await anext(chunks)
