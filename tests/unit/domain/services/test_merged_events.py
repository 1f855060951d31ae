"""One stream of the events of many nodes: how it begins, goes on, and ends; what it holds."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

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
from container_tracer.fakes.node_client import FakeNodeClient, FakeNodeStream
from container_tracer.ports.errors import NodeUnreachable
from container_tracer.ports.node_client import NodeRequest

REQUEST = NodeRequest(method="GET", target="/v1/trace-session/42/events")
SPAN = b'{"name":"read"}\n'


def line(kind: str, **body: Any) -> bytes:
    return json.dumps({"stream": kind, **body}).encode() + b"\n"


OPEN = line("open", id="1", state="running")
END = line("end", reason="stopped by request", state="stopped", error="", statistics={"Spans": 1})


def streams_of(**streams: FakeNodeStream) -> MergedStreams:
    client = FakeNodeClient(streams=streams)
    return MergedStreams(client=client, clock=SlowClock(), node_seconds=5)


def client_of(streams: MergedStreams) -> FakeNodeClient:
    assert isinstance(streams.client, FakeNodeClient)
    return streams.client


def sends(*pieces: bytes | NodeUnreachable | asyncio.Event) -> FakeNodeStream:
    return FakeNodeStream(pieces=pieces)


def waits(*pieces: bytes) -> FakeNodeStream:
    """Send this, and then nothing for ever."""
    return sends(*pieces, asyncio.Event())


class SlowClock(FakeClock):
    """Sleeps until it is cancelled, so that there are no heartbeats but those of nodes."""

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        await asyncio.Event().wait()


def nodes(*names: str) -> list[Node]:
    return [Node(name=name, host="10.0.0.1", port=8080) for name in names]


def watching(streams: MergedStreams, *others: str) -> Any:
    names = (*client_of(streams).streams, *others)
    return streams.watching(nodes(*names), REQUEST, session_id="42")


async def read(stream: MergedStream) -> list[bytes | Told]:
    return [item async for item in stream.items()]


def kinds(items: Iterable[bytes | Told]) -> list[str]:
    return [item.kind if isinstance(item, Told) else "spans" for item in items]


async def test_the_streams_of_all_nodes_are_one_with_one_opening_and_one_end() -> None:
    streams = streams_of(a=sends(OPEN, SPAN, END), b=sends(OPEN, SPAN + SPAN, END))
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
    go = asyncio.Event()
    streams = streams_of(a=sends(OPEN, SPAN, END), b=sends(go, OPEN, END))
    opening = asyncio.create_task(watching(streams).__aenter__())
    await asyncio.sleep(0)
    assert not (await asyncio.wait([opening], timeout=0.05))[0]
    go.set()
    stream = await opening
    assert kinds(await read(stream)) == ["open", "spans", "end"]
    await stream.close()


async def test_nodes_without_the_session_or_without_an_answer_are_refusals() -> None:
    streams = streams_of(
        a=sends(OPEN, SPAN, END),
        b=FakeNodeStream(
            status=404,
            content_type="application/problem+json",
            pieces=[b'{"detail": "There is none."}'],
        ),
        d=FakeNodeStream(content_type="text/html", pieces=[b"<html>"]),
        e=sends(SPAN),
        f=sends(),
    )
    async with watching(streams, "c") as stream:
        assert kinds(await read(stream)) == ["open", "spans", "end"]
    assert {name: reply.detail for name, reply in stream.refusals.items()} == {
        "b": "There is none.",
        "c": "refuses connections",
        "d": "its stream cannot be understood: it answers without a stream of events",
        "e": "its stream cannot be understood: it does not begin with its opening",
        "f": "its stream cannot be understood: it stops without an end",
    }
    outcomes = {name: reply.outcome for name, reply in stream.refusals.items()}
    assert outcomes == {"b": Outcome.ABSENT, **dict.fromkeys("cdef", Outcome.FAILED)}


async def test_a_node_that_does_not_begin_in_time_is_left_out() -> None:
    streams = streams_of(a=sends(OPEN, SPAN, END), b=sends(asyncio.Event(), OPEN))
    streams.node_seconds = 0.05
    async with watching(streams) as stream:
        assert kinds(await read(stream)) == ["open", "spans", "end"]
    assert stream.refusals["b"].detail == "did not begin its stream within 0.05 s"


async def test_a_node_that_breaks_off_does_not_end_the_others() -> None:
    go = asyncio.Event()
    streams = streams_of(
        a=sends(OPEN, go, SPAN, END),
        b=sends(OPEN, NodeUnreachable("ended the connection")),
        c=sends(OPEN, b'{"stream": oops}\n'),
        d=sends(OPEN, SPAN),
    )
    async with watching(streams) as stream:
        items = stream.items()
        told = [await anext(items) for _ in range(5)]
        go.set()
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
    streams = streams_of(a=sends(OPEN, "no bytes"))  # type: ignore[arg-type]
    async with watching(streams) as stream:
        _, error, _ = await read(stream)
    assert isinstance(error, Told)
    assert error.body == {"node": "a", "detail": "its stream failed; the log says more"}


async def test_a_client_that_reads_nothing_stops_the_nodes_and_holds_little() -> None:
    sent: list[bytes] = []

    def flood() -> Iterator[bytes]:
        for piece in (OPEN, *[SPAN] * 10_000, END):
            sent.append(piece)
            yield piece

    streams = streams_of(a=FakeNodeStream(pieces=flood()))
    async with watching(streams) as stream:
        items = stream.items()
        await anext(items)
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(sent) <= QUEUE_PIECES + 3
        rest = [item async for item in items]
    assert kinds(rest) == ["spans"] * 10_000 + ["end"]


async def test_no_node_waits_for_ever_behind_one_that_sends_much() -> None:
    flood = sends(OPEN, *[SPAN] * 1000, END)
    streams = streams_of(a=flood, b=sends(OPEN, b'{"name":"write"}\n', END))
    async with watching(streams) as stream:
        items = await read(stream)
    assert items.index(b'{"name":"write"}\n') <= QUEUE_PIECES + 3


async def test_whoever_goes_leaves_no_connection() -> None:
    streams = streams_of(a=waits(OPEN), b=waits(OPEN))
    async with watching(streams) as stream:
        await anext(stream.items())
        assert (streams.watchers, stream.legs) == (1, 2)
        assert client_of(streams).streaming == ["a", "b"]
    assert client_of(streams).streaming == []
    assert (streams.watchers, stream.legs) == (0, 0)


async def test_whoever_goes_while_nodes_are_asked_leaves_no_connection() -> None:
    streams = streams_of(a=waits())
    opening = asyncio.create_task(watching(streams).__aenter__())
    for _ in range(10):
        await asyncio.sleep(0)
    assert client_of(streams).streaming == ["a"]
    opening.cancel()
    await asyncio.wait([opening])
    assert (client_of(streams).streaming, streams.watchers) == ([], 0)


async def test_hearts_beat_while_the_client_listens() -> None:
    beat = line("heartbeat", time="2026-01-01T00:00:01Z", spans=3, containers=1)
    go = asyncio.Event()
    streams = streams_of(a=sends(OPEN, beat, go, END))
    streams.clock = FakeClock()
    async with watching(streams) as stream:
        items = stream.items()
        assert kinds([await anext(items) for _ in range(4)]) == ["open", *["heartbeat"] * 3]
        go.set()
        assert kinds([item async for item in items])[-1] == "end"


async def test_streams_that_are_stopped_end_with_the_reason_and_so_do_later_ones() -> None:
    streams = streams_of(a=waits(OPEN))
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
    streams = streams_of(a=waits(OPEN), b=waits(OPEN))
    async with watching(streams):
        with pytest.raises(TooManyWatchers, match="1 streams from 2 nodes are open here already"):
            async with watching(streams):
                pass
    async with watching(streams):
        assert streams.watchers == 1
