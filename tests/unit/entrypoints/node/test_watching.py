"""Live spans over HTTP: what a stream says, in both its forms, and how it begins and ends."""

import asyncio
import json
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from container_tracer.domain.model.session import SessionState
from container_tracer.domain.services import channel, live
from container_tracer.fakes.spans import awkward_batch, many_spans

NDJSON = {"Accept": "application/x-ndjson"}


async def made(node: Any, *, run: bool = True) -> tuple[Any, str]:
    (session_id,) = (await node.create(run=run)).json
    return node.sessions.kept[session_id], f"/v1/trace-session/{session_id}/events"


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


async def watched(node: Any, count: int) -> None:
    await until(lambda: node.sessions.live.watchers == count)


def end(node: Any, session: Any, reason: str = "stopped by request") -> None:
    session.state = SessionState.STOPPED
    node.sessions.live.end(session, reason)


async def test_lines_of_json_are_spans_between_an_opening_and_an_end(node: Any) -> None:
    session, path = await made(node)
    asked = asyncio.create_task(node.ask("GET", path, headers=NDJSON))
    await watched(node, 1)
    node.sessions.live.offer(session.session_id, awkward_batch())
    end(node, session)
    answer = await asked
    assert (answer.status, answer.media_type) == (200, "application/x-ndjson")
    first, *spans, last = map(json.loads, answer.body.splitlines())
    assert first == {"stream": "open", "id": session.session_id, "state": "running"}
    assert len(spans) == len(awkward_batch())
    assert {span["node"] for span in spans} == {"worker-1"}
    assert not any("stream" in span for span in spans)
    statistics = last.pop("statistics")
    assert last == {
        "stream": "end",
        "reason": "stopped by request",
        "state": "stopped",
        "error": "",
    }
    described = (await node.ask("GET", path.removesuffix("/events"))).json[session.session_id]
    assert set(statistics) == set(described["Statistics"])


async def test_containers_that_join_and_end_are_told_in_their_place(node: Any) -> None:
    session, path = await made(node)
    container = session.containers[0]
    asked = asyncio.create_task(node.ask("GET", path, headers=NDJSON))
    await watched(node, 1)
    node.sessions.live.tell(session, container, joined=True)
    node.sessions.live.offer(session.session_id, many_spans(1))
    session.let_go([container])
    node.sessions.live.tell(session, container, joined=False)
    end(node, session)
    _, joined, span, ended, _ = map(json.loads, (await asked).body.splitlines())
    place = {
        "namespace": container.namespace,
        "pod": container.pod,
        "container": container.name,
        "container_id": container.container_id,
    }
    assert joined == {"stream": "container", "change": "joined", **place, "containers": 1}
    assert "stream" not in span
    assert ended == {"stream": "container", "change": "ended", **place, "containers": 0}


async def test_events_carry_the_same_lines(node: Any) -> None:
    session, path = await made(node)
    asked = asyncio.create_task(node.ask("GET", path))
    other = asyncio.create_task(node.ask("GET", path, headers=NDJSON))
    await watched(node, 2)
    node.sessions.live.offer(session.session_id, awkward_batch())
    end(node, session)
    answer, lines = await asked, (await other).body.decode().splitlines()
    assert answer.media_type == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    blocks = answer.body.decode().split("\n\n")
    assert blocks.pop() == ""
    pairs = [block.split("\n") for block in blocks]
    assert [data.removeprefix("data: ") for _, data in pairs] == lines
    kinds = [event.removeprefix("event: ") for event, _ in pairs]
    assert kinds == ["open", *["span"] * len(awkward_batch()), "end"]


async def test_the_opening_comes_at_once_also_of_one_that_does_not_run(node: Any) -> None:
    session, path = await made(node, run=False)
    async with node.http.get(path, headers=NDJSON) as answer:
        assert json.loads(await answer.content.readline())["state"] == "created"
        session.state = SessionState.RUNNING
        node.sessions.live.offer(session.session_id, many_spans(1))
        assert json.loads(await answer.content.readline())["name"] == "read"


async def test_of_one_that_has_stopped_there_is_only_the_end(node: Any) -> None:
    session, path = await made(node)
    session.state, session.reason = SessionState.STOPPED, "its duration of 1 s is over"
    lines = (await node.ask("GET", path, headers=NDJSON)).body.splitlines()
    assert [json.loads(line)["stream"] for line in lines] == ["open", "end"]
    assert json.loads(lines[1])["reason"] == "its duration of 1 s is over"


async def test_what_was_left_out_is_told(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "BACKLOG_BYTES", many_spans(10).nbytes)
    session, path = await made(node)
    asked = asyncio.create_task(node.ask("GET", path, headers=NDJSON))
    await watched(node, 1)
    node.sessions.live.offer(session.session_id, many_spans(15))
    end(node, session)
    lines = [json.loads(line) for line in (await asked).body.splitlines()]
    assert lines[-2] == {"stream": "dropped", "spans": 5, "events": 10}
    assert len(lines) == 10 + 3
    metrics = (await node.ask("GET", "/metrics")).body.decode()
    assert "container_tracer_watcher_dropped_spans_total 5.0" in metrics


async def test_a_stream_lives_longer_than_an_answer_may_take(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.app.config.update({"RESPONSE_TIMEOUT": 0.2, "REQUEST_TIMEOUT": 0.2})
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.05)
    session, path = await made(node)
    async with node.http.get(path, headers=NDJSON) as answer:
        await answer.content.readline()
        for _ in range(20):  # five times as long as the timeout
            beat = json.loads(await answer.content.readline())
            assert beat["stream"] == "heartbeat"
        assert {"spans": 99, "lost": 0, "dropped": 0}.items() <= beat.items()
        end(node, session)
        assert json.loads((await answer.content.read()).splitlines()[-1])["stream"] == "end"


async def test_a_client_that_takes_nothing_for_so_long_is_cut_off(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.05)
    node.app.config.update({"RESPONSE_TIMEOUT": 0.3})
    session, path = await made(node)
    with socket.socket() as client, capture_logs() as logs:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", node.port))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await watched(node, 1)
        node.sessions.live.offer(session.session_id, many_spans(40_000))
        await watched(node, 0)
    (line,) = [line for line in logs if line["event"] == "stream.ended"]
    assert (line["by"], line["spans"] + line["dropped"] > 0) == ("client", True)
    assert [line for line in logs if line["log_level"] == "error"] == []


async def test_a_client_that_goes_leaves_nothing_behind(node: Any) -> None:
    _, path = await made(node)
    with capture_logs() as logs:
        async with node.http.get(path, headers=NDJSON) as answer:
            await answer.content.readline()
            assert node.sessions.live.watchers == 1
            answer.close()
        await watched(node, 0)
        metrics = (await node.ask("GET", "/metrics")).body.decode()
    assert "container_tracer_watchers 0.0" in metrics
    (line,) = [line for line in logs if line["event"] == "stream.ended"]
    assert (line["by"], line["path"], line["spans"]) == ("client", path, 0)
    assert [line for line in logs if line["log_level"] in ("warning", "error")] == []


async def test_a_stream_that_ends_is_a_line_in_the_log(node: Any) -> None:
    session, path = await made(node)
    with capture_logs() as logs:
        asked = asyncio.create_task(node.ask("GET", path))
        await watched(node, 1)
        node.sessions.live.offer(session.session_id, many_spans(4))
        end(node, session)
        await asked
    began, ended = [line for line in logs if line.get("path") == path]
    assert (began["event"], began["status"]) == ("request.answered", 200)
    assert ended.pop("duration_ms") > 0
    assert ended == {
        "event": "stream.ended",
        "log_level": "info",
        "path": path,
        "by": "session",
        "spans": 4,
        "dropped": 0,
    }


@pytest.mark.parametrize("session_id", ["7", "all", "x"])
async def test_one_that_does_not_exist_cannot_be_watched(node: Any, session_id: str) -> None:
    answer = await node.ask("GET", f"/v1/trace-session/{session_id}/events", headers=NDJSON)
    assert (answer.status, answer.json["title"]) == (404, "Unknown session")


async def test_too_many_watchers_are_429(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_WATCHERS", 1)
    _, path = await made(node)
    async with node.http.get(path, headers=NDJSON) as answer:
        await answer.content.readline()
        refused = await node.ask("GET", path)
        assert (refused.status, refused.json["title"]) == (429, "Too many watchers")


async def test_a_head_is_answered_and_not_waited_for(node: Any) -> None:
    _, path = await made(node)
    answer = await node.ask("HEAD", path, headers=NDJSON)
    assert (answer.status, answer.media_type) == (200, "application/x-ndjson")
    assert node.sessions.live.watchers == 0


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "text/event-stream"),
        ("text/event-stream", "text/event-stream"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("text/html, Application/X-NDJSON;q=0.9", "application/x-ndjson"),
    ],
)
async def test_the_form_is_chosen_by_what_is_accepted(
    node: Any, accept: str, media_type: str
) -> None:
    _, path = await made(node)
    assert (await node.ask("HEAD", path, headers={"Accept": accept})).media_type == media_type
