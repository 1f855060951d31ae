"""Every request is a span, whatever becomes of it, and what it leads to is below it.

Names are those of OpenTelemetry's conventions for HTTP servers
(https://opentelemetry.io/docs/specs/semconv/http/http-spans/).
"""

from asyncio import CancelledError
from collections.abc import Mapping
from typing import Any, cast

from sanic import Config, Request, Sanic
from sanic.exceptions import SanicException

from ...domain.model.single_span import AttributeValue, SingleSpanKind
from ...domain.model.trace_context import read_span_context
from ...domain.services.open_span import OpenSpan
from .context import Req
from .errors import problem_of
from .middleware import openapi_path

API = "/v1/"
"""What is asked for below this is exported. Probes, metrics and pages are asked for again and
again, and would be most of what there is; they are seen on the tracer's own pages alone."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"})
"""Others are not named, for a client may make up any."""

TOLD = ("group", "session", "hook", "run")
"""What the audit log knows of a request that its span tells, too."""

_STATUS = "http.response.status_code"
_SERVER_ERRORS_FROM = 500


class TracedApplication(Sanic[Config, Any]):
    """An application whose requests are spans below their callers'."""

    async def handle_request(self, request: Request) -> None:
        """Answer a request, and have a span meanwhile."""
        asked = cast(Req, request)
        asked.ctx.caller = read_span_context(lambda name: request.headers.getall(name, []))
        route = self._route_of(request)
        method = request.method if request.method in METHODS else "_OTHER"
        with self.ctx.spans.span(
            f"{method if method in METHODS else 'HTTP'} {route}".rstrip(),
            kind=SingleSpanKind.SERVER,
            caller=asked.ctx.caller,
            attributes=_attributes(request, method, route),
            exported=asked.path.startswith(API),
        ) as span:
            asked.ctx.span = span
            try:
                await super().handle_request(request)
            except (CancelledError, Exception) as error:
                problem = problem_of(error)
                _tell_status(span, asked.ctx.status or problem.status, problem.detail)
                raise
            finally:
                span.attributes |= _about(asked)
            _tell_status(span, asked.ctx.status, asked.ctx.problem)

    def _route_of(self, request: Request) -> str:
        try:
            route, _, _ = self.router.get(
                request.path, request.method, request.headers.getone("host", None)
            )
        except SanicException:
            return ""
        return openapi_path(route.path)


def _attributes(request: Request, method: str, route: str) -> Mapping[str, AttributeValue]:
    return {
        "http.request.method": method,
        **({"http.route": route} if route else {}),
        "url.path": request.path,
        "url.scheme": "https" if request.conn_info and request.conn_info.ssl else "http",
        "client.address": request.client_ip,
    }


def _about(request: Req) -> dict[str, AttributeValue]:
    known = {name: request.ctx.audit.details.get(name) for name in TOLD}
    told: dict[str, AttributeValue] = {
        f"container_tracer.{name}": one for name, one in known.items() if one is not None
    }
    return {"container_tracer.request_id": request.ctx.request_id, **told}


def _tell_status(span: OpenSpan, status: int, problem: str) -> None:
    span.attributes[_STATUS] = int(status)
    # By convention a server's span has not failed where its client is at fault.
    span.error = ""
    if status >= _SERVER_ERRORS_FROM:
        span.error = problem or f"answered {int(status)}"
        span.attributes["error.type"] = str(int(status))
