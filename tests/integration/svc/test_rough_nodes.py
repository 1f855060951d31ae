"""Nodes that answer nonsense, too much, too slowly or not at all, in front of a real svc."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

from .conftest import StartSvc
from .rough_nodes import (
    Manners,
    RoughNode,
    StartRough,
    at_rest,
    events,
    goes_on,
    hangs,
    pods,
    says,
    until,
)

JSON = "Content-Type: application/json"
STREAM = "HTTP/1.1 200 OK\nContent-Type: application/x-ndjson\nConnection: close"
OPEN = b'{"stream": "open", "id": "7", "state": "running"}\n'
SPAN = b'{"name":"read","filler":"' + b"x" * 10_000 + b'"}\n'
BEAT = b'{"stream": "heartbeat", "time": "2026-01-01T00:00:01Z", "spans": 1, "containers": 2}\n'
END = b'{"stream": "end", "reason": "stopped by request", "state": "stopped", "error": ""}\n'

NONSENSE: dict[str, Manners] = {
    "broken": says(f"HTTP/1.1 200 OK\n{JSON}", b'{"web": {"Containers"'),
    "list": says(f"HTTP/1.1 200 OK\n{JSON}", b"[]"),
    "half": says(f"HTTP/1.1 200 OK\n{JSON}\nContent-Length: 4000", b'{"web": {}'),
    "html": says("HTTP/1.1 200 OK\nContent-Type: text/html", b"<html>hello</html>"),
    "noise": says("\x07\x07 what?"),
    "silent": says(""),
    "fault": says("HTTP/1.1 500 Oops\nContent-Type: text/plain", b"Traceback"),
    "elsewhere": says("HTTP/1.1 302 Found\nLocation: http://127.0.0.1:1/\nContent-Length: 0"),
    "endless": goes_on(f"HTTP/1.1 200 OK\n{JSON}", b'{"web": "', b"x" * 2**20),
    "packed": says(f"HTTP/1.1 200 OK\n{JSON}\nContent-Encoding: gzip", b"\x1f\x8b\x08 bomb"),
}


def places(rough: Mapping[str, RoughNode] | None = None, **more: RoughNode) -> list[str]:
    """Write nodes as `--nodes` takes them."""
    return [f"{name}={one.where}" for name, one in {**(rough or {}), **more}.items()]


async def test_what_nodes_make_of_an_answer_is_told_and_disturbs_nobody_else(
    start_rough: StartRough, start_svc: StartSvc
) -> None:
    rough = {name: await start_rough(manners) for name, manners in NONSENSE.items()}
    good = await start_rough(pods("shop"))
    svc = start_svc(*places(rough, good=good))
    answer = await svc.asked("/v1/pods")
    assert (answer.status, answer.json) == (200, {"shop": {"Containers": {}}})
    assert answer.failed.keys() == NONSENSE.keys()
    assert all(answer.failed.values())
    assert rough["endless"].sent < 100 * 2**20
    alone = await svc.asked("/v1/pods?" + "&".join(f"node={name}" for name in NONSENSE))
    assert (alone.status, alone.json["title"]) == (502, "Nodes failed")
    assert alone.failed.keys() == NONSENSE.keys()


async def test_a_node_that_hangs_holds_up_only_those_who_wait_for_it(
    start_rough: StartRough, start_svc: StartSvc
) -> None:
    hung, good = await start_rough(hangs), await start_rough(pods("shop"))
    svc = start_svc(*places(hung=hung, good=good), flags=("--node-timeout", "50"))
    reader, writer = await asyncio.open_connection(*svc.url.removeprefix("http://").split(":"))
    writer.write(b"GET /v1/pods HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    first = asyncio.create_task(reader.read())
    await until(lambda: hung.asked == 1, "the hung node to be asked")
    for _ in range(20):
        assert (await svc.asked("/v1/pods?node=good")).status == 200
    assert (await svc.asked("/readyz")).status == 200
    assert not first.done()
    writer.close()
    await asyncio.gather(writer.wait_closed(), first)
    await until(lambda: hung.left == 1, "svc to hang up on the node its client did not wait for")


async def test_a_node_that_is_late_is_left_out_and_named(
    start_rough: StartRough, start_svc: StartSvc
) -> None:
    hung, good = await start_rough(hangs), await start_rough(pods("shop"))
    svc = start_svc(*places(hung=hung, good=good), flags=("--node-timeout", "1"))
    answer = await svc.asked("/v1/pods")
    assert (answer.status, list(answer.json)) == (200, ["shop"])
    assert answer.failed == {"hung": "does not answer within 0.98 s"}


def lines(answer: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    async def read() -> AsyncIterator[dict[str, Any]]:
        async for line in answer.content:
            yield json.loads(line)

    return read()


async def held(node: RoughNode, writer: asyncio.StreamWriter) -> None:
    """Stream a span, and the end of it when the test says so."""
    writer.write(f"{STREAM}\n\n".replace("\n", "\r\n").encode() + OPEN + BEAT + SPAN)
    await node.go.wait()
    writer.write(SPAN + END)
    await writer.drain()
    writer.close()


async def test_a_stream_that_breaks_off_is_told_and_the_others_go_on(
    start_rough: StartRough, start_svc: StartSvc
) -> None:
    good = await start_rough(held)
    absent = says("HTTP/1.1 404 Not Found\nContent-Type: application/problem+json", b"{}")
    rough = {
        "cut": await start_rough(says(STREAM, OPEN + SPAN + SPAN[:50])),
        "junk": await start_rough(says(STREAM, OPEN + b"<html>\n")),
        "never": await start_rough(says(STREAM, SPAN)),
        "absent": await start_rough(absent),
    }
    svc = start_svc(*places(rough, good=good), "away=127.0.0.1:1")
    async with events(svc.url, "7") as answer:
        errors = json.loads(answer.headers["X-Tracer-Node-Errors"])
        assert {one["node"] for one in errors} == {"never", "away"}
        told: list[dict[str, Any]] = []
        async for line in lines(answer):
            told.append(line)
            if line.get("stream") == "heartbeat":
                good.go.set()
    first, *middle, last = told
    assert first["nodes"].keys() == {"good", "cut", "junk"}
    broken = {one["node"] for one in middle if one.get("stream") == "node-error"}
    assert broken == last["broken"].keys() == {"cut", "junk"}
    assert sum("stream" not in one for one in middle) == 3
    assert (last["reason"], last["state"]) == ("stopped by request", "stopped")


async def test_a_slow_reader_of_a_stream_slows_the_nodes_and_svc_keeps_little(
    start_rough: StartRough, start_svc: StartSvc
) -> None:
    floods = [await start_rough(goes_on(STREAM, OPEN, SPAN)) for _ in range(4)]
    svc = start_svc(*places({f"n{number}": one for number, one in enumerate(floods)}))
    async with events(svc.url, "7") as answer:
        assert json.loads(await answer.content.readline())["stream"] == "open"
        before = svc.resident_mb()
        sent = await at_rest(lambda: sum(one.sent for one in floods))
        assert svc.resident_mb() - before < 40
        for _ in range(sent // len(SPAN) + 1000):  # what was sent is not lost, and it goes on
            assert (await answer.content.readuntil(b"\n")).startswith(b"{")
        assert sum(one.sent for one in floods) > sent
    await until(lambda: all(one.left for one in floods), "svc to hang up on all nodes")
    assert (await svc.asked("/readyz")).status == 200


async def test_a_signal_ends_streams_with_their_end_and_says_that_the_session_goes_on(
    start_rough: StartRough, start_svc: StartSvc
) -> None:
    good = await start_rough(held)
    svc = start_svc(*places(good=good))
    async with events(svc.url, "7") as answer:
        assert json.loads(await answer.content.readline())["stream"] == "open"
        svc.process.send_signal(signal.SIGTERM)
        *_, last = [line async for line in lines(answer)]
    assert (last["stream"], last["state"]) == ("end", "running")
    assert last["reason"] == "tracer-svc shut down; the session goes on"
    assert await asyncio.to_thread(svc.process.wait, 20) == 0
    assert "Traceback" not in svc.log.read_text()
