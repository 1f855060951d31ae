"""What a node sends is taken for what it is, and leads nowhere else."""

import socket
from collections.abc import AsyncIterator

import pytest

from container_tracer.adapters.http.node_client import HttpNodeClient
from container_tracer.domain.model.nodes import Node
from container_tracer.ports.errors import NodeUnreachable
from container_tracer.ports.node_client import NodeRequest

from .conftest import raw

PODS = NodeRequest(method="GET", target="/v1/pods")
FULL = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


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


async def test_an_answer_announced_by_others_is_waited_for(client: HttpNodeClient) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nContent-Type: text/plain\r\n\r\n"
    async with raw(early + FULL, FULL) as node:
        for _ in range(2):
            answer = await client.ask(node.node, PODS, seconds=20)
            assert (answer.status, answer.content_type, answer.body) == (
                200,
                "application/json",
                b"{}",
            )
    assert node.connections == 1


@pytest.mark.parametrize("more", [FULL, b"nonsense", b"HTTP/1.1 2"])
async def test_what_nobody_asked_for_is_no_answer_to_the_next_request(
    client: HttpNodeClient, more: bytes
) -> None:
    other = FULL.replace(b"{}", b"[]")
    async with raw(FULL + more, other) as node:
        assert (await client.ask(node.node, PODS, seconds=20)).body == b"{}"
        assert (await client.ask(node.node, PODS, seconds=20)).body == b"[]"


async def test_a_connection_that_the_node_will_close_is_not_used_again(
    client: HttpNodeClient,
) -> None:
    last = FULL.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    async with raw(last, FULL) as node:
        for _ in range(2):
            await client.ask(node.node, PODS, seconds=20)
    assert node.connections == 2


async def test_an_answer_may_come_in_chunks_and_byte_by_byte(client: HttpNodeClient) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"

    async with raw(chunked, slowly=True) as node:
        assert (await client.ask(node.node, PODS, seconds=20)).body == b"{}"


async def test_what_changes_something_is_not_sent_twice(client: HttpNodeClient) -> None:
    change = NodeRequest(method="POST", target="/v1/trace-session", body=b"{}")
    async with raw(FULL, b"") as node:
        await client.ask(node.node, PODS, seconds=20)
        with pytest.raises(NodeUnreachable, match="closed the connection"):
            await client.ask(node.node, change, seconds=20)
    assert [head.split()[0] for head in node.heard] == [b"GET", b"POST"]


@pytest.mark.parametrize(
    "request_",
    [
        NodeRequest(method="GET", target="/v1/pods HTTP/1.1\r\nX: y"),
        NodeRequest(method="GET", target="/v1/pods x"),
        NodeRequest(method="GET", target="/v1/pods", headers={"X": "a\r\nY: b"}),
    ],
)
async def test_no_request_can_become_another(client: HttpNodeClient, request_: NodeRequest) -> None:
    async with raw(FULL) as node:
        with pytest.raises(NodeUnreachable, match="none of HTTP"):
            await client.ask(node.node, request_, seconds=20)
    assert node.heard == []
