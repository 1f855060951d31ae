"""What happens around every request."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from container_tracer.entrypoints.rest.middleware import openapi_path


async def test_a_request_is_one_line_in_the_log(node: Any) -> None:
    with capture_logs() as logs:
        await node.ask("GET", "/v1/pods?pod=shop")
    (line,) = logs
    assert line.pop("duration_ms") > 0
    assert line == {
        "event": "request.answered",
        "log_level": "info",
        "method": "GET",
        "path": "/v1/pods",
        "status": 200,
    }


async def test_a_refused_request_is_one_line_too(node: Any) -> None:
    with capture_logs() as logs:
        await node.ask("GET", "/nowhere")
        await node.ask("PUT", "/v1/pods")
        await node.send("POST", "/v1/trace-session", b"{")
    answered = [line["status"] for line in logs if line["event"] == "request.answered"]
    assert answered == [404, 405, 400]


async def test_a_request_id_is_kept_or_made(node: Any) -> None:
    kept = await node.ask("GET", "/healthz", headers={"X-Request-ID": "job-7/step:2"})
    assert kept.headers["X-Request-ID"] == "job-7/step:2"
    made = {(await node.ask("GET", "/healthz")).headers["X-Request-ID"] for _ in range(2)}
    assert len(made) == 2


@pytest.mark.parametrize("given", ["x" * 129, "a b", "ä", '"'])
async def test_a_request_id_that_could_hurt_the_log_is_replaced(node: Any, given: str) -> None:
    answer = await node.ask("GET", "/nowhere", headers={"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] != given
    assert len(answer.headers["X-Request-ID"]) == 32


async def test_answers_are_neither_stored_nor_guessed_at(node: Any) -> None:
    for path in ("/v1/pods", "/nowhere"):
        answer = await node.ask("GET", path)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_route_is_named_as_openapi_does() -> None:
    assert openapi_path("v1/trace-session/<session_id:str>") == "/v1/trace-session/{session_id}"
    assert openapi_path("healthz") == "/healthz"
