"""What happens around every request: an id, a check, one line in the log, a measurement."""

import re
import time
import uuid
from functools import cache
from typing import Any

import structlog
from sanic import Request
from sanic.exceptions import SanicException
from sanic.response import BaseHTTPResponse

from ...domain.model.call_statistics import REQUEST_SIZE, RESPONSE_SIZE
from .client_certificates import ClientCertificates
from .context import App, Req, RequestContext
from .gate import Gate
from .logs import ids_of

REQUEST_ID_HEADER = "X-Request-ID"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:+/=-]{1,128}", re.ASCII)
_JSON = re.compile(r"application/(?:json|[a-z0-9!#$&^_.+-]+\+json)", re.ASCII | re.IGNORECASE)


class UnsupportedMediaType(SanicException):
    """A request has a body that says of itself that it is not JSON."""

    status_code = 415
    quiet = True


def install_middleware(
    app: App, gate: Gate, certificates: ClientCertificates | None = None
) -> None:
    """Let every request of the application pass through here."""
    app.register_middleware(begin, "request")
    if certificates:
        app.register_middleware(certificates.check, "request")
    app.register_middleware(gate.let_in, "request")
    app.register_middleware(require_json, "request")
    app.register_middleware(finish, "response")


def begin(request: Req) -> None:
    """Name the request, in the log and towards its client."""
    given = request.headers.getone(REQUEST_ID_HEADER, "")
    request.ctx.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    request.ctx.audit.begin(
        request.ctx.request_id, request.method, path=request.path, client=request.client_ip
    )
    # A connection's requests share a task, so what the last one bound must go.
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(
        request_id=request.ctx.request_id, **ids_of(request.ctx.span)
    )


def require_json(request: Req) -> None:
    """Refuse a body that is declared as something else; one that is not declared may be JSON.

    The first clients of this API, written in Go, declare nothing when they send a PUT.
    """
    declared = request.headers.getone("content-type", "").partition(";")[0].strip()
    if request.body and declared and not _JSON.fullmatch(declared):
        raise UnsupportedMediaType(
            f"The body is declared as {declared[:80]!r}; it must be application/json."
        )


def finish(request: Req, response: BaseHTTPResponse) -> None:
    """Write the one line about the request, and measure it."""
    seconds = time.perf_counter() - request.ctx.started
    request.ctx.status = response.status
    response.headers[REQUEST_ID_HEADER] = request.ctx.request_id
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store")
    _note_sizes(request, response)
    request.app.ctx.metrics.observe(
        request.method, route_template(request), status=response.status, seconds=seconds
    )
    who = {"who": request.ctx.audit.who} if request.ctx.audit.who else {}
    structlog.get_logger().info(
        "request.answered",
        **who,
        method=request.method.encode("ascii", "backslashreplace").decode(),
        path=request.path,
        status=response.status,
        duration_ms=round(seconds * 1000, 3),
    )
    request.ctx.audit.write(response.status)


def _note_sizes(request: Req, response: BaseHTTPResponse) -> None:
    """Tell how large the bodies are, which a stream has none of."""
    if request.ctx.span is None:
        return
    sizes = {REQUEST_SIZE: len(request.body), RESPONSE_SIZE: len(response.body or b"")}
    request.ctx.span.attributes |= {name: size for name, size in sizes.items() if size}


def route_template(request: Request[Any, RequestContext]) -> str:
    """Name the route of a request as OpenAPI does; empty if no route has its path."""
    return "" if request.route is None else openapi_path(request.route.path)


@cache
def openapi_path(sanic_path: str) -> str:
    """Write `v1/trace-session/<session_id:str>` as `/v1/trace-session/{session_id}`."""
    return "/" + re.sub(r"<(\w+)(?::[^>]*)?>", r"{\1}", sanic_path).lstrip("/")
