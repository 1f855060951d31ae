"""The routes of the svc role: each request goes to all nodes, and their answers become one."""

from collections.abc import Callable, Sequence

from sanic import Blueprint
from sanic.response import HTTPResponse

from ...domain.model.broadcast import Replies, merged_hooks, merged_members
from ...domain.services.broadcast import check
from ..rest.json_answer import json_answer
from ..rest.routing import add_route, node_openapi, server_blueprint
from .context import SvcReq
from .forwarding import forwarded
from .watching import get_events


def svc_blueprints() -> Sequence[Blueprint]:
    """Make the blueprints of svc: the API, version 1, and what tells about the server."""
    api = Blueprint("v1", version=1)
    add_route(api, "/pods", GET=get_pods)
    add_route(api, "/trace-hooks", GET=get_hooks)
    add_route(api, "/trace-session/<session_id:str>/events", GET=get_events)
    return api, server_blueprint(readyz=readyz, openapi=node_openapi())


async def get_pods(request: SvcReq) -> HTTPResponse:
    """List pods and containers of all nodes."""
    return await _merged(request, "/v1/pods", merged_members)


async def get_hooks(request: SvcReq) -> HTTPResponse:
    """List trace hooks, and the nodes that cannot do them."""
    return await _merged(request, "/v1/trace-hooks", merged_hooks)


async def readyz(request: SvcReq) -> HTTPResponse:
    """Tell whether there is a node to ask."""
    nodes = request.app.ctx.broadcast.chosen()
    return json_answer(
        {"status": "ready", "nodes": len(nodes.ready), "unready": dict(nodes.unready)}
    )


async def _merged(
    request: SvcReq, path: str, merge: Callable[[Replies], str], *, body: bytes = b""
) -> HTTPResponse:
    asked = forwarded(request, path, body=body)
    replies = await request.app.ctx.broadcast.ask(asked.request, patterns=asked.patterns)
    request.ctx.node_errors = replies.errors
    check(replies)
    return HTTPResponse(merge(replies), content_type="application/json")
