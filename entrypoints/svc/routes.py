"""The routes of the svc role: each request goes to all nodes, and their answers become one."""

import secrets
from collections.abc import Callable, Sequence

from sanic import Blueprint
from sanic.response import HTTPResponse

from ...domain.model.access import Action
from ...domain.model.broadcast import (
    Replies,
    merged_hooks,
    merged_members,
    merged_nothing,
    merged_sessions,
)
from ...domain.model.node_choice import chosen_nodes
from ...domain.services.broadcast import check
from ...domain.services.cluster_sessions import undoing
from ..rest.audit import described
from ..rest.json_answer import json_answer
from ..rest.routing import add_route, query_of, server_blueprint
from ..rest.schema import (
    ALL,
    MAX_SESSION_ID,
    MalformedBody,
    parse_run,
    parse_session_id,
    parse_session_request,
)
from ..zpages.routes import zpages_blueprint
from .context import SvcReq
from .description import svc_openapi
from .forwarding import NODE, forwarded
from .nodes_answer import nodes_answer
from .settings import PROGRAM
from .watching import get_events

SESSIONS = "/v1/trace-session"


def svc_blueprints() -> Sequence[Blueprint]:
    """Make the blueprints of svc: the API, version 1, and what tells about the server."""
    api = Blueprint("v1", version=1)
    add_route(api, "/nodes", GET=get_nodes)
    add_route(api, "/pods", GET=get_pods)
    add_route(api, "/trace-hooks", GET=get_hooks)
    add_route(api, "/trace-session", POST=create_sessions)
    add_route(
        api,
        "/trace-session/<session_id:str>",
        GET=get_sessions,
        PUT=change_sessions,
        DELETE=delete_sessions,
    )
    add_route(api, "/trace-session/<session_id:str>/summary", GET=get_summaries)
    add_route(api, "/trace-session/<session_id:str>/events", GET=get_events)
    return api, server_blueprint(readyz=readyz, openapi=svc_openapi()), zpages_blueprint(PROGRAM)


async def get_nodes(request: SvcReq) -> HTTPResponse:
    """List the nodes that are known, or those of some names."""
    await request.ctx.permissions.check(Action.GET)
    known = request.app.ctx.broadcast.nodes()
    return json_answer(nodes_answer(chosen_nodes(known, query_of(request).get(NODE, ()))))


async def get_pods(request: SvcReq) -> HTTPResponse:
    """List pods and containers of all nodes."""
    return await _merged(request, "/v1/pods", merged_members)


async def get_hooks(request: SvcReq) -> HTTPResponse:
    """List trace hooks, and the nodes that cannot do them."""
    return await _merged(request, "/v1/trace-hooks", merged_hooks)


async def create_sessions(request: SvcReq) -> HTTPResponse:
    """Make a session on every node that has something to trace; they share the id of a group."""
    wanted = parse_session_request(request.body)
    request.ctx.audit.note(**described(wanted))
    if wanted.group:
        raise MalformedBody("Key 'group' is set by tracer-svc; leave it out.")
    await request.ctx.permissions.check_early(wanted)
    group = str(secrets.randbelow(MAX_SESSION_ID) + 1)
    request.ctx.audit.note(group=group)
    path = f"{SESSIONS}/{group}"
    asked = forwarded(request, SESSIONS, body=_with_group(request.body, group))
    replies = await request.app.ctx.sessions.create(
        asked.request, patterns=asked.patterns, undo=undoing(asked.request, path)
    )
    answer = _answer(request, replies, merged_sessions)
    answer.status, answer.headers["Location"] = 201, path
    return answer


async def get_sessions(request: SvcReq, session_id: str) -> HTTPResponse:
    """Describe a session, those of a group, or all of all nodes."""
    return await _merged(request, _path(session_id), merged_sessions)


async def get_summaries(request: SvcReq, session_id: str) -> HTTPResponse:
    """Tell what the spans of a session, those of a group, or all of all nodes come to."""
    return await _merged(request, f"{_path(session_id)}/summary", merged_members)


async def change_sessions(request: SvcReq, session_id: str) -> HTTPResponse:
    """Let a session, or those of a group, run or not."""
    path = f"{SESSIONS}/{parse_session_id(session_id)}"
    request.ctx.audit.note(session=session_id, run=parse_run(request.body))
    return await _changed(request, path, Action.UPDATE)


async def delete_sessions(request: SvcReq, session_id: str) -> HTTPResponse:
    """Delete a session, those of a group, or all of all nodes."""
    request.ctx.audit.note(session=session_id)
    return await _changed(request, _path(session_id), Action.DELETE)


async def readyz(request: SvcReq) -> HTTPResponse:
    """Tell whether there is a node to ask, and why those that are known may be others by now."""
    broadcast = request.app.ctx.broadcast
    nodes = broadcast.chosen()
    known = {"nodes": len(nodes.ready), "unready": len(nodes.unready)}
    return json_answer({"status": "ready", **known, "stale": broadcast.stale()})


def _path(session_id: str) -> str:
    """Name sessions to nodes, by an id that was understood."""
    return f"{SESSIONS}/{ALL if session_id == ALL else parse_session_id(session_id)}"


def _with_group(body: bytes, group: str) -> bytes:
    """Add a key to an object that was read, and has others."""
    return b'{"group": "%s", %s' % (group.encode(), body.lstrip()[1:])


async def _merged(request: SvcReq, path: str, merge: Callable[[Replies], str]) -> HTTPResponse:
    await request.ctx.permissions.check(Action.GET)
    asked = forwarded(request, path)
    replies = await request.app.ctx.broadcast.ask(asked.request, patterns=asked.patterns)
    return _answer(request, replies, merge)


async def _changed(request: SvcReq, path: str, action: Action) -> HTTPResponse:
    await request.ctx.permissions.check(action)
    asked = forwarded(request, path, body=request.body if request.method == "PUT" else b"")
    replies = await request.app.ctx.sessions.change(asked.request, patterns=asked.patterns)
    return _answer(request, replies, merged_nothing)


def _answer(request: SvcReq, replies: Replies, merge: Callable[[Replies], str]) -> HTTPResponse:
    request.ctx.node_errors = replies.errors
    check(replies)
    return HTTPResponse(merge(replies), content_type="application/json")
