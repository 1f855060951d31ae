"""Live spans of many nodes over HTTP: in both forms, and whatever becomes of nodes and clients."""

import asyncio
import itertools
import json
import socket
from typing import Any

import pytest
from structlog.testing import capture_logs

from container_tracer.domain.services import merged_events
from container_tracer.fakes.node_client import FakeNodeStream

NDJSON = {"Accept": "application/x-ndjson"}
PATH = "/v1/trace-session/7/events"
SPAN = b'{"time":"t","name":"read"}\n'
OPEN = b'{"stream": "open", "id": "1", "state": "running"}\n'
GAP = b'{"stream": "dropped", "spans": 3, "events": 6}\n'
END = b'{"stream": "end", "reason": "stopped by request", "state": "stopped", "error": ""}\n'


def problem(status: int, detail: str) -> FakeNodeStream:
    body = json.dumps({"title": "X", "detail": detail}).encode()
    return FakeNodeStream(status=status, content_type="application/problem+json", pieces=[body])


@pytest.fixture
def held() -> asyncio.Event:
    """Streams that do not end before this is set."""
    return asyncio.Event()


async def until_nobody_watches(svc: Any) -> None:
    async with asyncio.timeout(10):
        while "container_tracer_watchers 0.0" not in await metrics(svc):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def metrics(svc: Any) -> str:
    return str((await svc.ask("GET", "/metrics")).body.decode())


async def test_lines_of_all_nodes_come_between_one_opening_and_one_end(svc: Any) -> None:
    svc.client.streams = {
        "a": FakeNodeStream(pieces=[OPEN + SPAN + SPAN, GAP, END]),
        "b": FakeNodeStream(pieces=[OPEN, SPAN + END]),
    }
    got = await svc.ask("GET", PATH, headers={**NDJSON, "Cookie": "c=1"})
    assert (got.status, got.media_type) == (200, "application/x-ndjson")
    first, *middle, last = map(json.loads, got.body.splitlines())
    assert first == {
        "stream": "open",
        "id": "7",
        "state": "running",
        "nodes": {"a": "running", "b": "running"},
    }
    assert sum("stream" not in one for one in middle) == 3
    assert [one for one in middle if "stream" in one] == [
        {"stream": "dropped", "node": "a", "spans": 3, "events": 6}
    ]
    assert (last["stream"], last["reason"]) == ("end", "stopped by request")
    for node in ("a", "b"):
        (request,) = svc.asked(node)
        assert (request.method, request.target) == ("GET", PATH)
        assert request.headers["Accept"] == "application/x-ndjson"
        assert "Cookie" not in request.headers


async def test_events_carry_the_same_lines(svc: Any) -> None:
    svc.client.streams = {"a": FakeNodeStream(pieces=[OPEN, SPAN + SPAN + GAP + SPAN, END])}
    lines = (await svc.ask("GET", f"{PATH}?node=a", headers=NDJSON)).body.decode().splitlines()
    got = await svc.ask("GET", f"{PATH}?node=a")
    assert got.media_type == "text/event-stream"
    blocks = got.body.decode().split("\n\n")
    assert blocks.pop() == ""
    pairs = [block.split("\n") for block in blocks]
    assert [data.removeprefix("data: ") for _, data in pairs] == lines
    kinds = [event.removeprefix("event: ") for event, _ in pairs]
    assert kinds == ["open", "span", "span", "dropped", "span", "end"]


async def test_nodes_without_the_session_are_no_failure_and_others_are_named(svc: Any) -> None:
    svc.client.streams = {
        "a": FakeNodeStream(pieces=[OPEN, END]),
        "b": problem(404, "There is no such session."),
    }
    assert (await svc.ask("GET", PATH)).node_errors == {}
    svc.client.streams["b"] = problem(503, "No tracefs.")
    svc.unready(c="Its pod is not ready.")
    got = await svc.ask("GET", PATH)
    assert (got.status, got.node_errors) == (200, {"b": 503, "c": 503})


@pytest.mark.parametrize(
    ("streams", "status"),
    [
        ({"a": problem(404, "None."), "b": problem(404, "None.")}, 404),
        ({"a": problem(404, "None.")}, 502),
        ({"a": problem(403, "No."), "b": problem(404, "None.")}, 403),
        ({"a": problem(429, "Too many."), "b": problem(429, "Too many.")}, 429),
        ({}, 502),
    ],
)
async def test_where_no_node_has_a_stream_the_answer_is_a_problem(
    svc: Any, streams: dict[str, FakeNodeStream], status: int
) -> None:
    svc.client.streams = streams
    got = await svc.ask("GET", PATH, headers=NDJSON)
    assert (got.status, got.media_type) == (status, "application/problem+json")
    await until_nobody_watches(svc)


@pytest.mark.parametrize("session_id", ["all", "x", "-1", str(2**64), "7%2F..%2Fall"])
async def test_what_is_no_id_is_asked_of_no_node(svc: Any, session_id: str) -> None:
    got = await svc.ask("GET", f"/v1/trace-session/{session_id}/events")
    assert got.status == 404
    assert svc.client.asked == []


async def test_a_head_is_answered_and_not_waited_for(svc: Any, held: asyncio.Event) -> None:
    svc.client.streams = {"a": FakeNodeStream(pieces=[OPEN], hold=held)}
    got = await svc.ask("HEAD", f"{PATH}?node=a", headers=NDJSON)
    assert (got.status, got.media_type, got.body) == (200, "application/x-ndjson", b"")
    await until_nobody_watches(svc)


async def test_a_client_that_goes_leaves_nothing_behind(svc: Any, held: asyncio.Event) -> None:
    svc.client.streams = {
        "a": FakeNodeStream(pieces=[OPEN, SPAN], hold=held),
        "b": FakeNodeStream(pieces=[OPEN], hold=held),
    }
    with capture_logs() as logs:
        async with svc.http.get(PATH, headers=NDJSON) as answer:
            await answer.content.readline()
            await answer.content.readline()
            shown = await metrics(svc)
            assert "container_tracer_watchers 1.0" in shown
            assert "container_tracer_watched_nodes 2.0" in shown
            answer.close()
        await until_nobody_watches(svc)
        assert "container_tracer_watched_nodes 0.0" in await metrics(svc)
    (line,) = [line for line in logs if line["event"] == "stream.ended"]
    assert (line["by"], line["path"], line["nodes"], line["spans"]) == ("client", PATH, 2, 1)
    assert [line for line in logs if line["log_level"] in ("warning", "error")] == []


async def test_a_client_that_takes_nothing_for_so_long_is_cut_off(svc: Any) -> None:
    svc.app.config.update({"RESPONSE_TIMEOUT": 0.3})
    endless = itertools.chain([OPEN], itertools.repeat(1000 * SPAN))
    svc.client.streams = {"a": FakeNodeStream(pieces=endless)}
    with socket.socket() as client, capture_logs() as logs:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", svc.port))
        client.sendall(f"GET {PATH}?node=a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        async with asyncio.timeout(10):
            while not [line for line in logs if line["event"] == "stream.ended"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    await until_nobody_watches(svc)
    (line,) = [line for line in logs if line["event"] == "stream.ended"]
    assert (line["by"], line["spans"] > 0) == ("client", True)
    assert [line for line in logs if line["log_level"] == "error"] == []


async def test_a_stream_that_ends_is_a_line_in_the_log(svc: Any) -> None:
    svc.client.streams = {"a": FakeNodeStream(pieces=[OPEN, SPAN + SPAN, END])}
    with capture_logs() as logs:
        await svc.ask("GET", f"{PATH}?node=a")
    (line,) = [line for line in logs if line["event"] == "stream.ended"]
    assert (line["by"], line["nodes"], line["spans"]) == ("session", 1, 2)


async def test_too_many_watchers_are_429(
    svc: Any, held: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merged_events, "MAX_STREAMS", 1)
    svc.client.streams = {"a": FakeNodeStream(pieces=[OPEN], hold=held)}
    async with svc.http.get(f"{PATH}?node=a", headers=NDJSON) as answer:
        await answer.content.readline()
        refused = await svc.ask("GET", PATH)
        assert (refused.status, refused.json["title"]) == (429, "Too many watchers")


async def test_streams_end_when_svc_does(svc: Any, held: asyncio.Event) -> None:
    svc.client.streams = {"a": FakeNodeStream(pieces=[OPEN], hold=held)}
    async with svc.http.get(f"{PATH}?node=a", headers=NDJSON) as answer:
        await answer.content.readline()
        svc.app.ctx.streams.stop("it shut down")
        last = json.loads((await answer.content.read()).splitlines()[-1])
    assert (last["stream"], last["reason"], last["state"]) == ("end", "it shut down", "running")
