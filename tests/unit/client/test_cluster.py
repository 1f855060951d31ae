"""The client against the API of a cluster: parts on many nodes, some of which fail."""

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import Any

import pytest
import trustme
from attrs import define, field

from container_tracer.client import (
    Answer,
    Interrupted,
    NodeError,
    Refused,
    ServerUnreachable,
    Span,
    TracerClient,
    TraceRequest,
)
from container_tracer.client.node_errors import node_errors_of

REQUEST = TraceRequest(pod="shop", hook="trace_syscalls")
LATE = {"node": "worker-3", "status": 0, "title": "", "detail": "It does not answer within 10 s."}


async def test_an_answer_names_the_nodes_it_lacks(tracer_api: Any) -> None:
    tracer_api.failed = [LATE, {"more": 7}]
    async with TracerClient(tracer_api.url) as tracer:
        pods = await tracer.pods()
    assert list(map(str, pods.node_errors)) == [
        "worker-3: It does not answer within 10 s.",
        "7 more: They failed, too.",
    ]
    assert pods == ()


@pytest.mark.parametrize("header", ["", "{", "7", '{"node": 1}', "[1, null]", '["worker-3"]'])
def test_a_header_that_cannot_be_read_says_nothing(header: str) -> None:
    assert node_errors_of(header) == ()


async def test_a_refusal_names_the_nodes_that_failed(tracer_api: Any) -> None:
    tracer_api.failed = [LATE]
    tracer_api.refusal = {"status": 502, "title": "Bad gateway", "detail": "No node answered."}
    async with TracerClient(tracer_api.url) as tracer:
        with pytest.raises(Refused, match="No node answered") as caught:
            await tracer.create(REQUEST)
    assert [one.node for one in caught.value.node_errors] == ["worker-3"]


async def test_a_session_on_many_nodes_is_one_group(tracer_api: Any) -> None:
    tracer_api.nodes, tracer_api.failed = ["worker-1", "worker-2"], [LATE]
    async with TracerClient(tracer_api.url) as tracer:
        parts = await tracer.create(REQUEST)
        group = await tracer.group(parts[0].handle)
        failed = await tracer.start(group.handle)
    assert [one.node for one in parts] == ["worker-1", "worker-2"]
    assert group.nodes == ("worker-1", "worker-2")
    assert group.states == {"created": 2}
    assert group.statistics.attributed == 16
    assert [one.node for one in (*group.node_errors, *failed)] == ["worker-3", "worker-3"]
    assert [path for _, path, _ in tracer_api.asked[1:]] == [
        f"/v1/trace-session/{group.handle}"
    ] * 2


async def test_the_nodes_of_a_session_are_listed_whole_in_its_body(tracer_api: Any) -> None:
    tracer_api.failed = [LATE, {**LATE, "node": "worker-4"}]
    async with TracerClient(tracer_api.url) as tracer:
        (session,) = await tracer.create(REQUEST)
        tracer_api.failed = [{"more": 2}]
        group = await tracer.group(session.handle)
    assert [one.node for one in group.node_errors] == ["worker-3", "worker-4"]


async def test_a_trace_tells_which_nodes_have_no_part_and_which_fail_later(
    tracer_api: Any, lines: Any
) -> None:
    tracer_api.nodes, tracer_api.failed = ["worker-1"], [LATE]
    gone = {"stream": "node-error", "node": "worker-1", "detail": "It broke its answer off."}
    tracer_api.script = [gone, lines.end()]
    async with TracerClient(tracer_api.url) as tracer, tracer.trace(REQUEST) as trace:
        events = [event async for event in trace]
    assert {one.node for one in trace.not_started} == {"worker-3"}
    assert trace.session.node == "worker-1"
    assert isinstance(events[0], NodeError)
    assert str(events[0]) == "worker-1: It broke its answer off."


LEAVING = {"stream": "end", "state": "running", "reason": "svc shut down; the session goes on"}


@pytest.mark.parametrize("last", [[], [LEAVING]])
async def test_a_stream_through_a_svc_is_taken_up_again_where_it_broke_off(
    tracer_api: Any, lines: Any, monkeypatch: pytest.MonkeyPatch, last: list[Any]
) -> None:
    monkeypatch.setattr("container_tracer.client.live_trace.RETRY_SECONDS", 0)
    tracer_api.nodes, tracer_api.script = ["worker-1"], [lines.span(), *last]
    tracer_api.break_off = True
    async with TracerClient(tracer_api.url) as tracer, tracer.trace(REQUEST) as trace:
        assert isinstance(await anext(trace), Span)
        tracer_api.script, tracer_api.break_off = [lines.span(name="close"), lines.end()], False
        gap, _, later, end = [event async for event in trace]
    assert isinstance(gap, Interrupted)
    assert isinstance(later, Span)
    assert (later.name, trace.end) == ("close", end)


async def test_a_stream_that_cannot_be_taken_up_again_is_unreachable(
    tracer_api: Any, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("container_tracer.client.live_trace.RETRY_SECONDS", 0)
    tracer_api.nodes, tracer_api.script, tracer_api.break_off = ["worker-1"], [lines.span()], True
    async with TracerClient(tracer_api.url) as tracer, tracer.trace(REQUEST) as trace:
        await anext(trace)
        await tracer.delete(trace.group.handle)
        with pytest.raises(ServerUnreachable, match="in the middle of an answer"):
            await anext(trace)


async def test_only_the_nodes_that_were_named_are_asked(tracer_api: Any) -> None:
    async with TracerClient(tracer_api.url, nodes=("worker-[12]", "a&b")) as tracer:
        await tracer.pods(pod="web")
        async with tracer.trace(REQUEST) as trace:
            _ = [event async for event in trace]
    assert tracer_api.queries[0] == {"pod": "web", "node": "worker-[12],a&b"}
    assert all(one["node"] == "worker-[12],a&b" for one in tracer_api.queries)


def test_an_answer_is_a_tuple() -> None:
    assert Answer((1, 2)) == (1, 2)
    assert Answer([1]).node_errors == ()


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@define
class Line:
    """What is dialled; it answers once, with a certificate if it has one."""

    certificate: ssl.SSLContext | None = None
    accepting: asyncio.Future[Any] = field(init=False)

    async def dial(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader(), self.answer)
        accepted = asyncio.get_running_loop().connect_accepted_socket(
            lambda: protocol, theirs, ssl=self.certificate
        )
        self.accepting = asyncio.ensure_future(accepted)
        return ours

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await writer.drain()
        writer.close()


async def test_a_connection_that_was_dialled_needs_no_address() -> None:
    async with TracerClient("http://tracer.example", dial=Line().dial) as tracer:
        assert await tracer.pods() == ()


async def test_a_connection_that_was_dialled_is_safe_from_end_to_end() -> None:
    authority = trustme.CA()
    certificate = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("tracer.example").configure_cert(certificate)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    line = Line(certificate)
    async with TracerClient("https://tracer.example", dial=line.dial, tls=trust) as tracer:
        assert await tracer.pods() == ()
    for url, tls in (("https://tracer.example", None), ("https://other.example", trust)):
        line = Line(certificate)
        async with TracerClient(url, dial=line.dial, tls=tls) as tracer:
            with pytest.raises(ServerUnreachable, match="certificate is not to be trusted"):
                await tracer.pods()
        with suppress(OSError):
            await line.accepting


async def test_nobody_to_dial_is_unreachable() -> None:
    async def dial() -> socket.socket:
        raise ServerUnreachable("No pod of tracer-svc is ready.")

    async with TracerClient("http://tracer.example", dial=dial) as tracer:
        with pytest.raises(ServerUnreachable, match="No pod"):
            await tracer.pods()
