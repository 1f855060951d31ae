"""Every error has one status, and tells its client what may be known."""

import asyncio
from typing import Any

import pytest
from sanic.exceptions import SanicException
from structlog.testing import capture_logs

from container_tracer.domain.model.errors import DataError, RequestError, TracerError
from container_tracer.entrypoints.rest.errors import STATUS, problem_answer, problem_of
from container_tracer.ports.errors import PortError


def leaves(kind: type[Exception]) -> set[type[Exception]]:
    return {kind} | {leaf for below in kind.__subclasses__() for leaf in leaves(below)}


def test_every_request_error_is_the_callers_and_every_port_error_is_the_worlds() -> None:
    for leaf in leaves(RequestError) - {RequestError}:
        if leaf.__module__.startswith("container_tracer"):
            assert 400 <= problem_of(leaf("x")).status < 500 or STATUS[leaf] == 501
    for leaf in leaves(PortError):
        assert problem_of(leaf("x")).status in {501, 502, 503}


def test_a_leaf_nobody_thought_of_has_the_status_of_its_half() -> None:
    class NeverHeardOf(RequestError):
        """Made here."""

    problem = problem_of(NeverHeardOf("no"))
    assert problem.status == 400
    assert problem.type == "urn:container-tracer:problem:never-heard-of"


@pytest.mark.parametrize("error", [KeyError("secret"), DataError("secret"), TracerError("secret")])
def test_anything_else_is_500_and_its_text_stays_here(error: Exception) -> None:
    problem = problem_of(error)
    assert problem.status == 500
    assert "secret" not in problem.detail


def test_headers_of_an_error_are_kept() -> None:
    error = SanicException("Slow down.", status_code=429, headers={"Retry-After": "3"})
    answer = problem_answer(problem_of(error), "/x")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "3")


def test_a_client_that_is_gone_is_no_fault_of_the_server() -> None:
    assert problem_of(asyncio.CancelledError()).status == 499


def test_a_long_detail_is_cut() -> None:
    body = problem_answer(problem_of(RequestError("x" * 10**6)), "/x").body
    assert body is not None
    assert len(body) < 2500


async def test_an_unexpected_failure_is_logged_with_its_traceback_and_not_told(node: Any) -> None:
    node.pods.failure = KeyError("secret")
    with capture_logs() as logs:
        answer = await node.ask("GET", "/v1/pods")
    assert (answer.status, answer.media_type) == (500, "application/problem+json")
    assert b"secret" not in answer.body
    failed, answered = logs
    assert failed["event"] == "request.failed"
    assert failed["exc_info"] is node.pods.failure
    assert (answered["event"], answered["status"]) == ("request.answered", 500)
