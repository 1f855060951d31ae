"""Routes become a blueprint; and the routes that tell about a server itself."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from .context import Req, RequestContext
from .json_answer import json_answer
from .metrics import CONTENT_TYPE

_REST = Path(__file__).parent
_DOCS_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self';"
    " img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

Handler: TypeAlias = Callable[..., Coroutine[Any, Any, HTTPResponse | None]]


def add_route(blueprint: Blueprint, path: str, **handlers: Handler) -> None:
    """Give a path its handlers, by method."""
    for method, handler in handlers.items():
        # HEAD goes wherever GET goes; Sanic leaves the body out. A body nobody asked for
        # is read all the same: left in the connection it would be an error in the log.
        methods = ["GET", "HEAD"] if method == "GET" else [method]
        blueprint.route(path, methods=methods, name=handler.__name__, ignore_body=False)(handler)


def server_blueprint(*, readyz: Handler, openapi: bytes) -> Blueprint:
    """Make the routes that tell about the server: its health, metrics, and description."""
    server = Blueprint("server")
    add_route(server, "/healthz", GET=healthz)
    add_route(server, "/readyz", GET=readyz)
    add_route(server, "/metrics", GET=metrics)
    add_route(server, "/openapi.json", GET=_page("openapi", openapi, "application/json"))
    docs = (_REST / "docs.html").read_bytes()
    add_route(server, "/docs", GET=_page("docs", docs, "text/html; charset=utf-8"))
    return server


def node_openapi() -> bytes:
    """Read the description of the node's API."""
    return (_REST / "openapi.json").read_bytes()


async def healthz(_request: Req) -> HTTPResponse:
    """Tell that the server answers."""
    return json_answer({"status": "ok"})


async def metrics(request: Req) -> HTTPResponse:
    """Show the metrics."""
    return HTTPResponse(await request.app.ctx.metrics.render(), content_type=CONTENT_TYPE)


def _page(name: str, body: bytes, content_type: str) -> Handler:
    async def page(_request: Req) -> HTTPResponse:
        return HTTPResponse(
            body, content_type=content_type, headers={"Content-Security-Policy": _DOCS_POLICY}
        )

    page.__name__ = name
    return page


def query_of(request: Request[Any, RequestContext]) -> Mapping[str, Sequence[str]]:
    """Return the parameters of a request's query, those without a value too."""
    return dict(request.get_args(keep_blank_values=True))
