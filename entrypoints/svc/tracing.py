"""What changes something on the nodes is a span of svc, above those of the nodes."""

from asyncio import CancelledError
from functools import wraps

from sanic.response import HTTPResponse

from ...domain.model.single_span import SingleSpanKind
from ...domain.services.own_spans import OpenSpan
from ..rest.errors import problem_of
from ..rest.middleware import route_template
from ..rest.routing import Handler
from .context import SvcReq

_STATUS = "http.response.status_code"
_SERVER_ERRORS_FROM = 500


def traced(handler: Handler) -> Handler:
    """Give each request of a handler a span below its caller's, if anybody keeps it.

    What the handler sends to nodes is sent by that span then, else by the caller's.
    """

    @wraps(handler)
    async def answer(request: SvcReq, **parameters: str) -> HTTPResponse | None:
        route = route_template(request)
        with request.app.ctx.spans.span(
            f"{request.method} {route}",
            kind=SingleSpanKind.SERVER,
            caller=request.ctx.caller,
            attributes={
                "http.request.method": request.method,
                "http.route": route,
                "url.path": request.path,
            },
        ) as span:
            if span:
                request.ctx.caller = span.context
            try:
                answered = await handler(request, **parameters)
            except (CancelledError, Exception) as error:
                if span:
                    _tell_failure(span, error)
                raise
            if span and answered:
                span.attributes[_STATUS] = answered.status
                if location := answered.headers.get("Location"):
                    span.attributes["container_tracer.group"] = location.rpartition("/")[2]
            return answered

    return answer


def _tell_failure(span: OpenSpan, error: BaseException) -> None:
    problem = problem_of(error)
    span.attributes[_STATUS] = int(problem.status)
    # By convention a server's span has not failed where its client is at fault.
    span.error = problem.detail if problem.status >= _SERVER_ERRORS_FROM else ""
