"""The pages at an address of their own are there for anybody, and nothing else is."""

import socket

import aiohttp
import pytest
from sanic import Sanic
from structlog.testing import capture_logs

from container_tracer.domain.model.span_book import SpanBook
from container_tracer.domain.services.own_spans import OwnSpans
from container_tracer.entrypoints.rest.context import Context
from container_tracer.entrypoints.rest.metrics import Metrics
from container_tracer.entrypoints.values import Address
from container_tracer.entrypoints.zpages.server import (
    build_zpages,
    listen_for_zpages,
    serving_zpages,
)
from container_tracer.fakes.clock import FakeClock

LOCAL = Address("127.0.0.1", 0)


@pytest.fixture(autouse=True)
def many_applications(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sanic, "test_mode", True)


def context() -> Context:
    return Context(metrics=Metrics(), spans=OwnSpans(clock=FakeClock()), book=SpanBook())


async def statuses(listener: socket.socket, *paths: str, **headers: str) -> list[int]:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    found = []
    async with aiohttp.ClientSession(url) as http:
        for path in paths:
            async with http.get(path, headers=headers) as answer:
                found.append(answer.status)
    return found


async def test_there_are_the_pages_and_nothing_else_of_the_api() -> None:
    app = build_zpages("test-program", context(), address=LOCAL, request_rate=0)
    listener = listen_for_zpages("test-program", LOCAL)
    assert listener is not None
    with capture_logs() as logs:
        async with serving_zpages(app, listener):
            pages = ("/", "/debug", "/debug/tracez", "/debug/rpcz")
            assert await statuses(listener, *pages) == [200] * 4
            others = ("/healthz", "/metrics", "/docs", "/v1/pods", "/v1/trace-session/all")
            assert await statuses(listener, *others) == [404] * 5
            # A site that lets its name mean 127.0.0.1 would else read them (DNS rebinding).
            assert await statuses(listener, "/debug/tracez", Host="evil.example") == [403]
            assert await statuses(listener, "/debug/tracez", Host="localhost:1") == [200]
    assert listener.fileno() == -1
    assert {"event": "zpages.serving", "log_level": "info"}.items() <= logs[0].items()
    assert "zpages.open" not in [one["event"] for one in logs]


async def test_where_others_can_reach_them_the_log_warns() -> None:
    everywhere = Address("", 0)
    app = build_zpages("test-program", context(), address=everywhere, request_rate=0)
    with capture_logs() as logs:
        async with serving_zpages(app, listen_for_zpages("test-program", everywhere)):
            pass
    (warning,) = [one for one in logs if one["event"] == "zpages.open"]
    assert warning["log_level"] == "warning"
    assert "localhost:PORT" in warning["meaning"]


async def test_without_an_address_there_are_none() -> None:
    assert build_zpages("test-program", context(), address=None, request_rate=0) is None
    assert listen_for_zpages("test-program", None) is None
    async with serving_zpages(None, None):
        pass


def test_an_address_that_is_taken_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(SystemExit, match="2"):
            listen_for_zpages("tracer-node", address)
    said = f"tracer-node: ZPAGES_PORT: cannot listen on {address}: address already in use"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(said)
