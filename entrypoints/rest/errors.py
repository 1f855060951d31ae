"""Errors become answers: the one table that knows status codes, and RFC 9457 problems."""

import contextlib
import json
import math
import re
from asyncio import CancelledError
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from attrs import field, frozen
from sanic import Request
from sanic.constants import HTTP_METHODS
from sanic.exceptions import MethodNotAllowed, NotFound, SanicException
from sanic.handlers import ErrorHandler
from sanic.response import HTTPResponse

from ...domain.model.access import Forbidden, Unauthenticated
from ...domain.model.broadcast import NodeRefusal
from ...domain.model.errors import RequestError, TracerError
from ...domain.model.isolation import IsolatedContainer
from ...domain.model.labels import InvalidLabels
from ...domain.model.node_choice import UnknownNode
from ...domain.model.rate_limit import TooManyRequests
from ...domain.model.selector import InvalidSelector, NoMatchingContainer
from ...domain.model.session_request import (
    HookUnavailable,
    IllegalTransition,
    InvalidArguments,
    InvalidRequest,
    TooManySessions,
    TooManyWatchers,
    UnknownHook,
    UnknownSession,
)
from ...ports.errors import (
    AccessUndecided,
    DiscoveryFailed,
    EventUnavailable,
    ExportFailed,
    NodesFailed,
    NoNodes,
    PortError,
    TracingUnavailable,
)
from .browsers import ForeignOrigin
from .schema import MalformedBody

PROBLEM_TYPE = "application/problem+json"
MAX_DETAIL_CHARACTERS = 2000
CLIENT_CLOSED_REQUEST = 499
"""For the log only: whoever asked is gone."""

STATUS: Mapping[type[Exception], HTTPStatus] = {
    MalformedBody: HTTPStatus.BAD_REQUEST,
    InvalidSelector: HTTPStatus.BAD_REQUEST,
    InvalidLabels: HTTPStatus.BAD_REQUEST,
    InvalidRequest: HTTPStatus.BAD_REQUEST,
    NoMatchingContainer: HTTPStatus.NOT_FOUND,
    UnknownSession: HTTPStatus.NOT_FOUND,
    UnknownNode: HTTPStatus.NOT_FOUND,
    UnknownHook: HTTPStatus.NOT_FOUND,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    ForeignOrigin: HTTPStatus.FORBIDDEN,
    TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    IllegalTransition: HTTPStatus.CONFLICT,
    InvalidArguments: HTTPStatus.UNPROCESSABLE_ENTITY,
    IsolatedContainer: HTTPStatus.UNPROCESSABLE_ENTITY,
    TooManySessions: HTTPStatus.TOO_MANY_REQUESTS,
    TooManyWatchers: HTTPStatus.TOO_MANY_REQUESTS,
    HookUnavailable: HTTPStatus.NOT_IMPLEMENTED,
    EventUnavailable: HTTPStatus.NOT_IMPLEMENTED,
    AccessUndecided: HTTPStatus.SERVICE_UNAVAILABLE,
    TracingUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    DiscoveryFailed: HTTPStatus.SERVICE_UNAVAILABLE,
    ExportFailed: HTTPStatus.SERVICE_UNAVAILABLE,
    NodesFailed: HTTPStatus.BAD_GATEWAY,
    NoNodes: HTTPStatus.SERVICE_UNAVAILABLE,
    RequestError: HTTPStatus.BAD_REQUEST,
    PortError: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The status of an error is that of the first of its classes, from itself upwards, found here."""

_INTERNAL = "This is a fault of the server; its log says more, under the id in X-Request-ID."


_UNREADABLE = "The request line or a header cannot be read as HTTP/1.1."


@frozen(kw_only=True)
class Problem:
    """An RFC 9457 problem; `type` tells apart what has the same status."""

    status: int
    title: str
    detail: str
    type: str = "about:blank"
    headers: Mapping[str, str] = field(factory=dict)


def problem_of(error: BaseException) -> Problem:
    """Turn whatever ended a request into what its client may know of it."""
    if isinstance(error, NodeRefusal):
        return Problem(
            status=error.status,
            title=error.title,
            detail=str(error),
            type=error.type_uri,
            headers=_headers(error),
        )
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), None)
    if status is not None and isinstance(error, TracerError):
        words = _words(type(error).__name__)
        return Problem(
            status=status,
            title=words.capitalize(),
            detail=str(error),
            type=f"urn:container-tracer:problem:{words.replace(' ', '-')}",
            headers=_headers(error),
        )
    if isinstance(error, SanicException) and error.status_code != HTTPStatus.INTERNAL_SERVER_ERROR:
        return Problem(
            status=error.status_code,
            title=_title(error.status_code),
            detail=_UNREADABLE if str(error) == "Bad Request" else str(error),
            headers={name: str(value) for name, value in (error.headers or {}).items()},
        )
    if isinstance(error, CancelledError):
        return Problem(
            status=CLIENT_CLOSED_REQUEST,
            title="Client closed request",
            detail="The connection was closed before the answer was ready.",
        )
    return Problem(status=HTTPStatus.INTERNAL_SERVER_ERROR, title=_title(500), detail=_INTERNAL)


def _headers(error: TracerError) -> Mapping[str, str]:
    """Say what a client shall do about it, where HTTP has a header for that."""
    unknown = isinstance(error, NodeRefusal) and error.status == HTTPStatus.UNAUTHORIZED
    if unknown or isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": 'Bearer realm="container-tracer"'}
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(math.ceil(error.retry_after_seconds))}
    return {}


def _words(class_name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", " ", class_name).lower()


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def problem_answer(problem: Problem, instance: str) -> HTTPResponse:
    """Write a problem as `application/problem+json`; `instance` is the path that was asked."""
    body: dict[str, Any] = {
        "type": problem.type,
        "title": problem.title,
        "status": int(problem.status),
        "detail": _written(problem.detail[:MAX_DETAIL_CHARACTERS]),
    }
    if instance.startswith("/"):
        body["instance"] = instance
    return HTTPResponse(
        json.dumps(body),
        status=int(problem.status),
        headers=dict(problem.headers),
        content_type=PROBLEM_TYPE,
    )


def _written(text: str) -> str:
    """Escape bytes of a request that were no text; strict JSON readers refuse them."""
    return text.encode("utf-8", "backslashreplace").decode()


class ProblemHandler(ErrorHandler):
    """Answers every exception of every request with a problem."""

    def default(self, request: Request, exception: Exception) -> HTTPResponse:
        """Turn an exception into an answer, and log it if it is a fault of ours."""
        problem = problem_of(exception)
        request.ctx.problem = problem.detail
        if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            structlog.get_logger().error("request.failed", exc_info=exception)
        answer = problem_answer(problem, request.path)
        if isinstance(exception, MethodNotAllowed):
            answer.headers["Allow"] = ", ".join(_allowed(request))
        return answer


def _allowed(request: Request) -> list[str]:
    """Ask the router; it does not say by itself where a path has parameters."""
    methods: list[str] = []
    for method in sorted(HTTP_METHODS):
        with contextlib.suppress(NotFound, MethodNotAllowed):
            request.app.router.get(request.path, method, None)
            methods.append(method)
    return methods
