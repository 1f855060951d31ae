"""A server lives as long as its block, and ends without breaking what it is doing."""

import asyncio
import socket
import time
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from sanic import Blueprint, Sanic
from sanic.response import HTTPResponse

from container_tracer.domain.model.discovery_choice import DiscoveryChoice
from container_tracer.domain.services.own_spans import OwnSpans
from container_tracer.entrypoints.node.context import NodeContext
from container_tracer.entrypoints.node.metrics import node_metrics
from container_tracer.entrypoints.rest.app import build_app
from container_tracer.entrypoints.rest.context import App
from container_tracer.entrypoints.rest.gate import Gate
from container_tracer.entrypoints.rest.serving import serving
from container_tracer.fakes.clock import FakeClock


async def slow(_request: Any) -> HTTPResponse:
    await asyncio.sleep(0.2)
    return HTTPResponse("done")


async def endless(_request: Any) -> HTTPResponse:
    await asyncio.sleep(3600)
    return HTTPResponse("never")


def context_of(sessions: Any) -> NodeContext:
    choice = DiscoveryChoice(name="procfs")
    return NodeContext(
        pods=sessions,
        sessions=sessions,
        choice=lambda: choice,
        spans=OwnSpans(clock=FakeClock()),
        metrics=node_metrics(sessions, lambda: choice),
    )


@pytest.fixture
def app() -> App:
    Sanic.test_mode = True
    blueprint = Blueprint("test")
    blueprint.add_route(slow, "/slow")
    blueprint.add_route(endless, "/endless")
    sessions: Any = SimpleNamespace()
    context = context_of(sessions)
    return build_app("test-serving", context, [blueprint], Gate())


@pytest.fixture
def sock() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def url(sock: socket.socket, path: str) -> str:
    return f"http://127.0.0.1:{sock.getsockname()[1]}{path}"


async def test_a_request_that_is_being_answered_is_finished(app: App, sock: socket.socket) -> None:
    async with aiohttp.ClientSession() as http:
        async with serving(app, sock):
            asked = asyncio.create_task(http.get(url(sock, "/slow")))
            await asyncio.sleep(0.05)
        async with await asked as answer:
            assert (answer.status, await answer.text()) == (200, "done")


async def test_one_that_takes_too_long_is_cut_off(app: App, sock: socket.socket) -> None:
    async with aiohttp.ClientSession() as http:
        async with serving(app, sock, grace_seconds=0.1):
            asked = asyncio.create_task(http.get(url(sock, "/endless")))
            await asyncio.sleep(0.05)
            began = time.monotonic()
        assert time.monotonic() - began < 2
        with pytest.raises(aiohttp.ClientError):
            await asked


async def test_an_idle_connection_does_not_hold_it_up(app: App, sock: socket.socket) -> None:
    async with aiohttp.ClientSession() as http:
        async with serving(app, sock, grace_seconds=30):
            async with http.get(url(sock, "/slow")) as answer:
                await answer.read()
            began = time.monotonic()
        assert time.monotonic() - began < 2


async def test_after_the_block_nobody_listens(app: App, sock: socket.socket) -> None:
    address = url(sock, "/slow")
    async with serving(app, sock):
        pass
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientError):
            await http.get(address)


async def test_variables_of_the_environment_do_not_configure_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SANIC_REQUEST_MAX_SIZE", "1")
    Sanic.test_mode = True
    sessions: Any = SimpleNamespace()
    context = context_of(sessions)
    assert build_app("test-environment", context, [], Gate()).config.REQUEST_MAX_SIZE == 256 * 1024
