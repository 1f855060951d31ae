"""One stream of the events of many nodes: how it begins, goes on, and ends; what it holds."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from attrs import define, field

from container_tracer.domain.model.node_reply import Outcome
from container_tracer.domain.model.nodes import Node
from container_tracer.domain.model.session_request import TooManyWatchers
from container_tracer.domain.model.stream_lines import Told
from container_tracer.domain.services import merged_events
from container_tracer.domain.services.merged_events import (
    QUEUE_PIECES,
    MergedStream,
    MergedStreams,
)
from container_tracer.fakes.clock import FakeClock
from container_tracer.ports.errors import NodeUnreachable
from container_tracer.ports.node_client import NodeAnswer, NodeRequest

REQUEST = NodeRequest(method="GET", target="/v1/trace-session/42/events")
SPAN = b'{"name":"read"}\n'


def line(kind: str, **body: Any) -> bytes:
    return json.dumps({"stream": kind, **body}).encode() + b"\n"


OPEN = line("open", id="1", state="running")
END = line("end", reason="stopped by request", state="stopped", error="", statistics={"Spans": 1})


@define
class Script:
    """What a node sends; None is waited at until the test lets it `go` on."""

    chunks: Iterable[bytes | None] = (OPEN, SPAN, END)
    status: int = 200
    content_type: str = "application/x-ndjson"
    unreachable: str = ""
    breaks: str = ""
    sent: int = 0
    closed: bool = False
    go: asyncio.Event = field(factory=asyncio.Event)

    async def body(self) -> bytes:
        return b"".join(chunk for chunk in self.chunks if chunk)

    async def chunks_(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            if chunk is None:
                await self.go.wait()
            else:
                self.sent += 1
                yield chunk
        if self.breaks:
            raise NodeUnreachable(self.breaks)


@define
class ScriptedStream:
    """A script as the port has it."""

    script: Script

    @property
    def status(self) -> int:
        return self.script.status

    @property
    def content_type(self) -> str:
        return self.script.content_type

    async def body(self) -> bytes:
        return await self.script.body()

    def chunks(self) -> AsyncIterator[bytes]:
        return self.script.chunks_()


@define
class ScriptedNodes:
    """Nodes that stream what their scripts say."""

    scripts: dict[str, Script]

    async def ask(self, node: Node, request: NodeRequest, *, seconds: float) -> NodeAnswer:
        raise NotImplementedError

    @asynccontextmanager
    async def stream(
        self, node: Node, request: NodeRequest, *, seconds: float, silence_seconds: float
    ) -> AsyncIterator[ScriptedStream]:
        assert (request, silence_seconds > seconds) == (REQUEST, True)
        script = self.scripts[node.name]
        if script.unreachable:
            raise NodeUnreachable(script.unreachable)
        try:
            yield ScriptedStream(script)
        finally:
            script.closed = True

    async def close(self) -> None: ...


def streams_of(**scripts: Script) -> MergedStreams:
    return MergedStreams(client=ScriptedNodes(scripts), clock=SlowClock(), node_seconds=5)


class SlowClock(FakeClock):
    """Sleeps until it is cancelled, so that there are no heartbeats but those of nodes."""

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        await asyncio.Event().wait()


def nodes(*names: str) -> list[Node]:
    return [Node(name=name, host="10.0.0.1", port=8080) for name in names]


def watching(streams: MergedStreams) -> Any:
    assert isinstance(streams.client, ScriptedNodes)
    names = streams.client.scripts
    return streams.watching(nodes(*names), REQUEST, session_id="42")


async def read(stream: MergedStream) -> list[bytes | Told]:
    return [item async for item in stream.items()]


def kinds(items: Iterable[bytes | Told]) -> list[str]:
    return [item.kind if isinstance(item, Told) else "spans" for item in items]


async def test_the_streams_of_all_nodes_are_one_with_one_opening_and_one_end() -> None:
    streams = streams_of(a=Script(), b=Script([OPEN, SPAN + SPAN, END]))
    async with watching(streams) as stream:
        first, *middle, last = await read(stream)
    assert first == Told(
        kind="open",
        body={"id": "42", "state": "running", "nodes": {"a": "running", "b": "running"}},
    )
    assert sorted(middle) == [SPAN, SPAN + SPAN]
    assert isinstance(last, Told)
    assert (last.kind, last.body["statistics"]) == ("end", {"Spans": 2})


async def test_nothing_is_told_before_every_node_has_opened() -> None:
    slow = Script([None, OPEN, END])
    streams = streams_of(a=Script(), b=slow)
    opening = asyncio.create_task(watching(streams).__aenter__())
    await asyncio.sleep(0)
    assert not (await asyncio.wait([opening], timeout=0.05))[0]
    slow.go.set()
    stream = await opening
    assert kinds(await read(stream)) == ["open", "spans", "end"]
    await stream.close()


async def test_nodes_without_the_session_or_without_an_answer_are_refusals() -> None:
    streams = streams_of(
        a=Script(),
        b=Script([b'{"detail": "There is none."}'], 404, "application/problem+json"),
        c=Script(unreachable="cannot be reached: connection refused"),
        d=Script([b"<html>"], content_type="text/html"),
        e=Script([SPAN]),
        f=Script([]),
    )
    async with watching(streams) as stream:
        assert kinds(await read(stream)) == ["open", "spans", "end"]
    assert {name: reply.detail for name, reply in stream.refusals.items()} == {
        "b": "There is none.",
        "c": "cannot be reached: connection refused",
        "d": "its stream cannot be understood: it answers without a stream of events",
        "e": "its stream cannot be understood: it does not begin with its opening",
        "f": "its stream cannot be understood: it stops without an end",
    }
    outcomes = {name: reply.outcome for name, reply in stream.refusals.items()}
    assert outcomes == {"b": Outcome.ABSENT, **dict.fromkeys("cdef", Outcome.FAILED)}


async def test_a_node_that_does_not_begin_in_time_is_left_out() -> None:
    streams = streams_of(a=Script(), b=Script([None, OPEN]))
    streams.node_seconds = 0.05
    async with watching(streams) as stream:
        assert kinds(await read(stream)) == ["open", "spans", "end"]
    assert stream.refusals["b"].detail == "did not begin its stream within 0.05 s"


async def test_a_node_that_breaks_off_does_not_end_the_others() -> None:
    other = Script([OPEN, None, SPAN, END])
    streams = streams_of(
        a=other,
        b=Script([OPEN], breaks="ended the connection"),
        c=Script([OPEN, b'{"stream": oops}\n']),
        d=Script([OPEN, SPAN]),
    )
    async with watching(streams) as stream:
        items = stream.items()
        told = [await anext(items) for _ in range(5)]
        other.go.set()
        told += [item async for item in items]
    assert kinds(told)[:1] + kinds(told)[-2:] == ["open", "spans", "end"]
    end = told[-1]
    assert isinstance(end, Told)
    assert end.body["broken"] == {
        "b": "ended the connection",
        "c": "its stream cannot be understood: it sends a line about its stream that is no JSON",
        "d": "its stream cannot be understood: it stops without an end",
    }
    errors = [
        item.body["node"] for item in told if isinstance(item, Told) and "detail" in item.body
    ]
    assert sorted(errors) == ["b", "c", "d"]


async def test_a_fault_of_ours_ends_one_leg_and_is_told() -> None:
    streams = streams_of(a=Script([OPEN, "no bytes"]))  # type: ignore[list-item]
    async with watching(streams) as stream:
        _, error, _ = await read(stream)
    assert isinstance(error, Told)
    assert error.body == {"node": "a", "detail": "its stream failed; the log says more"}


async def test_a_client_that_reads_nothing_stops_the_nodes_and_holds_little() -> None:
    script = Script([OPEN, *[SPAN] * 10_000, END])
    streams = streams_of(a=script)
    async with watching(streams) as stream:
        items = stream.items()
        await anext(items)
        for _ in range(100):
            await asyncio.sleep(0)
        assert script.sent <= QUEUE_PIECES + 3
        rest = [item async for item in items]
    assert kinds(rest) == ["spans"] * 10_000 + ["end"]


async def test_no_node_waits_for_ever_behind_one_that_sends_much() -> None:
    flood = Script([OPEN, *[SPAN] * 1000, END])
    streams = streams_of(a=flood, b=Script([OPEN, b'{"name":"write"}\n', END]))
    async with watching(streams) as stream:
        items = await read(stream)
    assert items.index(b'{"name":"write"}\n') <= QUEUE_PIECES + 3


async def test_whoever_goes_leaves_no_connection() -> None:
    scripts = [Script([OPEN, None]), Script([OPEN, None])]
    streams = streams_of(a=scripts[0], b=scripts[1])
    async with watching(streams) as stream:
        await anext(stream.items())
        assert (streams.watchers, stream.legs) == (1, 2)
    assert [script.closed for script in scripts] == [True, True]
    assert (streams.watchers, stream.legs) == (0, 0)


async def test_whoever_goes_while_nodes_are_asked_leaves_no_connection() -> None:
    script = Script([None])
    streams = streams_of(a=script)
    opening = asyncio.create_task(watching(streams).__aenter__())
    for _ in range(10):
        await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait([opening])
    assert (script.closed, streams.watchers) == (True, 0)


async def test_hearts_beat_while_the_client_listens() -> None:
    beat = line("heartbeat", time="2026-01-01T00:00:01Z", spans=3, containers=1)
    script = Script([OPEN, beat, None, END])
    streams = streams_of(a=script)
    streams.clock = FakeClock()
    async with watching(streams) as stream:
        items = stream.items()
        assert kinds([await anext(items) for _ in range(4)]) == ["open", *["heartbeat"] * 3]
        script.go.set()
        assert kinds([item async for item in items])[-1] == "end"


async def test_streams_that_are_stopped_end_with_the_reason_and_so_do_later_ones() -> None:
    streams = streams_of(a=Script([OPEN, None]))
    async with watching(streams) as stream:
        reading = asyncio.create_task(read(stream))
        await asyncio.sleep(0)
        streams.stop("this server shut down")
        _, end = await reading
    async with watching(streams) as later:
        _, other = await read(later)
    for one in (end, other):
        assert isinstance(one, Told)
        assert (one.body["reason"], one.body["state"]) == ("this server shut down", "running")


@pytest.mark.parametrize("limit", ["MAX_STREAMS", "MAX_LEGS"])
async def test_more_streams_than_may_be_are_refused(
    limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merged_events, limit, 1)
    streams = streams_of(a=Script([OPEN, None]), b=Script([OPEN, None]))
    async with watching(streams):
        with pytest.raises(TooManyWatchers, match="1 streams from 2 nodes are open here already"):
            async with watching(streams):
                pass
    async with watching(streams):
        assert streams.watchers == 1
