"""Clients that are slow, or many, or speak something else, keep nobody else waiting."""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sanic import Blueprint, Sanic
from sanic.response import HTTPResponse

from container_tracer.domain.services.own_spans import OwnSpans
from container_tracer.entrypoints.rest import connection
from container_tracer.entrypoints.rest.app import build_app
from container_tracer.entrypoints.rest.context import Context
from container_tracer.entrypoints.rest.gate import Gate
from container_tracer.entrypoints.rest.metrics import Metrics
from container_tracer.entrypoints.rest.serving import serving
from container_tracer.fakes.clock import FakeClock

GET = b"GET /page HTTP/1.1\r\nHost: x\r\n"


async def page(_request: Any) -> HTTPResponse:
    return HTTPResponse("here")


@asynccontextmanager
async def server(**config: object) -> AsyncIterator[int]:
    """Serve a page; give the port."""
    Sanic.test_mode = True
    pages = Blueprint("pages")
    pages.add_route(page, "/page", methods=["GET", "POST"], ignore_body=False)
    app = build_app(
        "test-connection",
        Context(metrics=Metrics(), spans=OwnSpans(clock=FakeClock())),
        [pages],
        Gate(),
    )
    app.config.update(config)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        async with serving(app, sock, grace_seconds=0.1):
            yield sock.getsockname()[1]


async def send_slowly(port: int, data: bytes) -> bytes:
    """Send a byte now and then until there is an answer, and return its first line.

    What follows may be cut off: the server has no use for the bytes that are still sent.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = asyncio.create_task(reader.readuntil(b"\r\n"))
    for byte in itertools.cycle(data):
        await asyncio.wait([answer], timeout=0.02)
        if answer.done():
            break
        writer.write(bytes([byte]))
    writer.close()
    return answer.result()


async def get(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET + b"Connection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer


async def test_bytes_that_drip_gain_no_time_for_the_head() -> None:
    async with server(REQUEST_TIMEOUT=0.3) as port:
        assert (await send_slowly(port, b"x")).startswith(b"HTTP/1.1 408 ")


async def test_bytes_that_drip_gain_no_time_for_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGER_SECONDS", 0.1)
    async with server(RESPONSE_TIMEOUT=0.3) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /page HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        answer = asyncio.create_task(reader.readuntil(b"\r\n"))
        while not answer.done():
            writer.write(b" ")
            await asyncio.wait([answer], timeout=0.02)
        assert answer.result().startswith(b"HTTP/1.1 503 ")
        assert await asyncio.wait_for(_ended(reader), 10)
        writer.close()


async def test_time_is_counted_anew_for_every_request_of_a_connection() -> None:
    async with server(REQUEST_TIMEOUT=0.5) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(4):
            writer.write(GET)
            await asyncio.sleep(0.2)
            writer.write(b"\r\n")
            assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_of_too_many_connections_those_without_a_request_make_room(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "MAX_CONNECTIONS", 20)
    async with server() as port:
        halves = [await asyncio.open_connection("127.0.0.1", port) for _ in range(60)]
        for _, writer in halves:
            writer.write(GET)
        assert (await get(port)).startswith(b"HTTP/1.1 200 ")
        gone = [asyncio.create_task(_ended(reader)) for reader, _ in halves[:40]]
        assert await asyncio.wait_for(asyncio.gather(*gone), 10) == [True] * 40
        _, last = halves[-1]
        last.write(b"\r\n")
        assert (await halves[-1][0].readuntil(b"here")).startswith(b"HTTP/1.1 200 ")
        for _, writer in halves:
            writer.close()
    assert not [one for one in caplog.records if one.levelname == "ERROR"]


async def _ended(reader: asyncio.StreamReader) -> bool:
    with contextlib.suppress(ConnectionResetError):
        await reader.read()
    return True


async def test_tls_where_none_is_spoken_is_ended_at_once() -> None:
    async with server() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        assert await asyncio.wait_for(_ended(reader), 10)
        writer.close()
