"""Whoever asks nodes keeps to this: over HTTP, with a real server behind, and as a fake."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest
from aiohttp import web
from attrs import define, field

from container_tracer.adapters.http.node_client import HttpNodeClient
from container_tracer.domain.model.nodes import Node
from container_tracer.fakes.node_client import FakeNodeClient, FakeNodeStream
from container_tracer.ports.errors import NodeUnreachable
from container_tracer.ports.node_client import NodeAnswer, NodeClient, NodeRequest, NodeStream

PODS = NodeRequest(method="GET", target="/v1/pods?pod=a%20b&x=")
EVENTS = NodeRequest(method="GET", target="/v1/trace-session/7/events")
LINES = "application/x-ndjson"


@define
class World:
    """A client, and behind it a node called `a` that does what `node` says."""

    client: NodeClient
    node: FakeNodeClient
    where: Node = field(factory=lambda: Node(name="a", host="127.0.0.1", port=1))

    async def ask(self, request: NodeRequest = PODS, *, seconds: float = 20) -> NodeAnswer:
        return await self.client.ask(self.where, request, seconds=seconds)

    async def until_hung_up(self) -> None:
        async with asyncio.timeout(20):
            while not self.node.cancelled:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)


async def serve(request: web.BaseRequest, node: FakeNodeClient) -> web.StreamResponse:
    """Answer over HTTP what the node answers; where it cannot be reached, break off."""
    seen = NodeRequest(
        method=request.method,
        target=request.raw_path,
        headers=dict(request.headers),
        body=await request.read(),
    )
    where = Node(name="a", host="", port=0)
    try:
        if not request.path.endswith("/events"):
            answer = await node.ask(where, seen, seconds=3600)
            kind = answer.content_type or "text/plain"
            return web.Response(status=answer.status, content_type=kind, body=answer.body)
        async with node.stream(where, seen, seconds=3600, silence_seconds=3600) as stream:
            started = web.StreamResponse(status=stream.status)
            started.content_type = stream.content_type
            await started.prepare(request)
            async for piece in stream.chunks():
                await started.write(piece)
            await started.write_eof()
            return started
    except NodeUnreachable:
        assert request.transport is not None
        request.transport.abort()
        raise


@pytest.fixture(params=["http", "fake"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    node = FakeNodeClient()
    if request.param == "fake":
        yield World(node, node)
        return

    async def behind(one: web.BaseRequest) -> web.StreamResponse:
        return await serve(one, node)

    runner = web.ServerRunner(web.Server(behind, handler_cancellation=True, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    client = HttpNodeClient()
    (listener,) = runner.addresses
    yield World(client, node, Node(name="a", host="127.0.0.1", port=listener[1]))
    await client.close()
    await runner.cleanup()


class TestNodeClient:
    @pytest.mark.parametrize("status", [200, 404, 503])
    async def test_an_answer_is_returned_whatever_its_status(
        self, world: World, status: int
    ) -> None:
        said = NodeAnswer(status=status, content_type="application/json", body=b'{"\xc3\xa9": 1}')
        world.node.answers["a"] = said
        assert await world.ask() == said

    async def test_the_node_sees_what_is_asked(self, world: World) -> None:
        world.node.answers["a"] = NodeAnswer(status=201, content_type="application/json")
        asked = NodeRequest(
            method="POST", target="/v1/trace-session?%2e=%2F", headers={"X-A": "1"}, body=b"{}"
        )
        await world.ask(asked)
        ((_, seen),) = world.node.asked
        assert (seen.method, seen.target, seen.body) == ("POST", asked.target, b"{}")
        assert seen.headers["X-A"] == "1"

    async def test_many_requests_are_answered_at_once(self, world: World) -> None:
        world.node.answers["a"] = NodeAnswer(status=200, content_type="application/json")
        answers = await asyncio.gather(*(world.ask() for _ in range(100)))
        assert {one.status for one in answers} == {200}

    async def test_a_node_that_breaks_off_is_unreachable(self, world: World) -> None:
        world.node.answers["a"] = NodeUnreachable("closed the connection")
        with pytest.raises(NodeUnreachable, match="closed the connection"):
            await world.ask()

    async def test_a_node_that_is_late_is_unreachable_and_hung_up_on(self, world: World) -> None:
        world.node.hanging["a"] = asyncio.Event()
        with pytest.raises(NodeUnreachable, match=r"^does not answer within 0\.2 s$"):
            await world.ask(seconds=0.2)

    async def test_a_caller_that_is_cancelled_hangs_up(self, world: World) -> None:
        world.node.hanging["a"] = asyncio.Event()
        asking = asyncio.create_task(world.ask())
        async with asyncio.timeout(20):
            while not world.node.asked:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)
        asking.cancel()
        await world.until_hung_up()
        await asyncio.wait([asking])
        assert asking.cancelled()

    async def test_a_stream_is_read_as_it_comes(self, world: World) -> None:
        more = asyncio.Event()
        world.node.streams["a"] = FakeNodeStream(pieces=[b"one\n", b"two\n"], hold=more)
        read = b""
        async with self._stream(world) as stream:
            assert (stream.status, stream.content_type) == (200, LINES)
            async for chunk in stream.chunks():
                read += chunk
                if read == b"one\ntwo\n":
                    more.set()
        assert read == b"one\ntwo\n"

    async def test_an_answer_that_is_no_stream_is_read_whole(self, world: World) -> None:
        kind = "application/problem+json"
        world.node.streams["a"] = FakeNodeStream(status=404, content_type=kind, pieces=[b"{", b"}"])
        async with self._stream(world) as stream:
            assert (stream.status, stream.content_type) == (404, kind)
            assert await stream.body() == b"{}"

    async def test_a_stream_that_breaks_off_is_an_error(self, world: World) -> None:
        broken = NodeUnreachable("broke its answer off")
        world.node.streams["a"] = FakeNodeStream(pieces=[b"one\n", broken])
        async with self._stream(world) as stream:
            with pytest.raises(NodeUnreachable):
                _ = [chunk async for chunk in stream.chunks()]

    async def test_a_stream_that_does_not_begin_is_an_error(self, world: World) -> None:
        world.node.hanging["a"] = asyncio.Event()
        with pytest.raises(NodeUnreachable, match=r"does not answer within 0\.2 s"):
            async with self._stream(world, seconds=0.2):
                pass

    async def test_it_can_be_closed_again(self, world: World) -> None:
        await world.client.close()
        await world.client.close()

    def _stream(self, world: World, seconds: float = 20) -> AbstractAsyncContextManager[NodeStream]:
        return world.client.stream(world.where, EVENTS, seconds=seconds, silence_seconds=20)
