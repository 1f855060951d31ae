"""The routes of the node role: what each request of the API does."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from sanic import Blueprint
from sanic.response import HTTPResponse

from ...domain.model.session import TraceSession
from ...ports.errors import TracingUnavailable
from ..rest.answers import (
    Json,
    hooks_answer,
    json_answer,
    pods_answer,
    ready_answer,
    session_answer,
)
from ..rest.context import Req, Sessions
from ..rest.metrics import CONTENT_TYPE
from ..rest.queries import parse_pods_query, parse_switch
from ..rest.schema import parse_run, parse_session_id, parse_session_request
from ..rest.summaries import summary_answer
from .watching import get_events

ALL = "all"

_REST = Path(__file__).parent.parent / "rest"
_DOCS_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self';"
    " img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

Handler: TypeAlias = Callable[..., Coroutine[Any, Any, HTTPResponse | None]]
T = TypeVar("T")


def node_blueprints() -> Sequence[Blueprint]:
    """Make the blueprints of the node: the API, version 1, and what tells about the server."""
    api = Blueprint("v1", version=1)
    _add(api, "/pods", GET=get_pods)
    _add(api, "/trace-hooks", GET=get_hooks)
    _add(api, "/trace-session", POST=create_session)
    _add(
        api,
        "/trace-session/<session_id:str>",
        GET=get_sessions,
        PUT=change_session,
        DELETE=delete_sessions,
    )
    _add(api, "/trace-session/<session_id:str>/summary", GET=get_summaries)
    _add(api, "/trace-session/<session_id:str>/events", GET=get_events)
    server = Blueprint("server")
    _add(server, "/healthz", GET=healthz)
    _add(server, "/readyz", GET=readyz)
    _add(server, "/metrics", GET=metrics)
    _add(server, "/openapi.json", GET=_page("openapi.json", "application/json"))
    _add(server, "/docs", GET=_page("docs.html", "text/html; charset=utf-8"))
    return api, server


def _add(blueprint: Blueprint, path: str, **handlers: Handler) -> None:
    for method, handler in handlers.items():
        # HEAD goes wherever GET goes; Sanic leaves the body out. A body nobody asked for
        # is read all the same: left in the connection it would be an error in the log.
        methods = ["GET", "HEAD"] if method == "GET" else [method]
        blueprint.route(path, methods=methods, name=handler.__name__, ignore_body=False)(handler)


async def get_pods(request: Req) -> HTTPResponse:
    """List pods and containers: all, or those a selection means."""
    context = request.app.ctx
    query = parse_pods_query(_query(request))
    containers = query.selector.matching(await context.pods.pods())
    return json_answer(pods_answer(containers, node=context.sessions.node, vmm=query.vmm))


async def get_hooks(request: Req) -> HTTPResponse:
    """List trace hooks."""
    return json_answer(hooks_answer(request.app.ctx.sessions.catalogue))


async def create_session(request: Req) -> HTTPResponse:
    """Make a session."""
    wanted = parse_session_request(request.body)
    session = await _to_its_end(request.app.ctx.sessions.create(wanted))
    return json_answer(
        await _describe(request, [session]),
        status=201,
        headers={"Location": f"/v1/trace-session/{session.session_id}"},
    )


async def get_sessions(request: Req, session_id: str) -> HTTPResponse:
    """Describe a session, or all of them."""
    return json_answer(await _describe(request, _chosen(request.app.ctx.sessions, session_id)))


async def get_summaries(request: Req, session_id: str) -> HTTPResponse:
    """Tell what the spans of a session come to, or those of all of them."""
    service = request.app.ctx.sessions
    buckets = parse_switch("buckets", _query(request).get("buckets", ()))
    answer = {
        one.session_id: await asyncio.to_thread(
            summary_answer, one, await service.summary(one), node=service.node, buckets=buckets
        )
        for one in _chosen(service, session_id)
    }
    return await asyncio.to_thread(json_answer, answer)


async def change_session(request: Req, session_id: str) -> HTTPResponse:
    """Let a session run, or not."""
    sessions = request.app.ctx.sessions
    known = sessions.get(parse_session_id(session_id)).session_id
    change = sessions.start if parse_run(request.body) else sessions.stop
    await _to_its_end(change(known))
    return json_answer({})


async def delete_sessions(request: Req, session_id: str) -> HTTPResponse:
    """Delete a session, or all of them."""
    sessions = request.app.ctx.sessions
    if session_id == ALL:
        await _to_its_end(sessions.delete_all())
    else:
        await _to_its_end(sessions.delete(parse_session_id(session_id)))
    return json_answer({})


async def healthz(_request: Req) -> HTTPResponse:
    """Tell that the server answers."""
    return json_answer({"status": "ok"})


async def readyz(request: Req) -> HTTPResponse:
    """Tell whether the kernel can be traced, and how containers are found."""
    context = request.app.ctx
    if reason := context.sessions.unavailable():
        raise TracingUnavailable(reason)
    return json_answer(ready_answer(context.choice()))


async def metrics(request: Req) -> HTTPResponse:
    """Show the metrics."""
    return HTTPResponse(await request.app.ctx.metrics.render(), content_type=CONTENT_TYPE)


def _page(file_name: str, content_type: str) -> Handler:
    body = (_REST / file_name).read_bytes()

    async def page(_request: Req) -> HTTPResponse:
        return HTTPResponse(
            body, content_type=content_type, headers={"Content-Security-Policy": _DOCS_POLICY}
        )

    page.__name__ = file_name.replace(".", "_")
    return page


def _query(request: Req) -> Mapping[str, Sequence[str]]:
    return dict(request.get_args(keep_blank_values=True))


async def _describe(request: Req, sessions: Sequence[TraceSession]) -> Json:
    service = request.app.ctx.sessions
    return {
        one.session_id: session_answer(one, await service.statistics(one), node=service.node)
        for one in sessions
    }


def _chosen(sessions: Sessions, session_id: str) -> Sequence[TraceSession]:
    if session_id == ALL:
        return sessions.list()
    return [sessions.get(parse_session_id(session_id))]


async def _to_its_end(change: Coroutine[Any, Any, T]) -> T:
    """Finish a change even if its client hangs up: no session may be left half started."""
    return await asyncio.shield(asyncio.create_task(change, name="session.change"))
