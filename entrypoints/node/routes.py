"""The routes of the node role: what each request of the API does."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from attrs import evolve
from sanic import Blueprint
from sanic.response import HTTPResponse

from ...domain.model.access import Action
from ...domain.model.session import TraceSession
from ...domain.model.session_request import SessionRequest
from ...domain.model.trace_context import SpanContext
from ...domain.services.open_span import told_context
from ...ports.errors import TracingUnavailable
from ..rest.answers import hooks_answer, pods_answer, ready_answer, session_answer
from ..rest.audit import described
from ..rest.json_answer import Json, json_answer
from ..rest.queries import parse_pods_query, parse_switch
from ..rest.routing import add_route, node_openapi, query_of, server_blueprint
from ..rest.schema import ALL, parse_run, parse_session_id, parse_session_request
from ..rest.summaries import summary_answer
from ..zpages.routes import zpages_blueprint
from .choosing import chosen_sessions
from .context import NodeReq
from .settings import PROGRAM
from .watching import get_events

T = TypeVar("T")


def node_blueprints() -> Sequence[Blueprint]:
    """Make the blueprints of the node: the API, version 1, and what tells about the server."""
    api = Blueprint("v1", version=1)
    add_route(api, "/pods", GET=get_pods)
    add_route(api, "/trace-hooks", GET=get_hooks)
    add_route(api, "/trace-session", POST=create_session)
    add_route(
        api,
        "/trace-session/<session_id:str>",
        GET=get_sessions,
        PUT=change_session,
        DELETE=delete_sessions,
    )
    add_route(api, "/trace-session/<session_id:str>/summary", GET=get_summaries)
    add_route(api, "/trace-session/<session_id:str>/events", GET=get_events)
    server = server_blueprint(readyz=readyz, openapi=node_openapi())
    return api, server, zpages_blueprint(PROGRAM)


async def get_pods(request: NodeReq) -> HTTPResponse:
    """List pods and containers: all, or those a selection means."""
    context = request.app.ctx
    query = parse_pods_query(query_of(request))
    pods = await context.pods.pods()
    selector = await request.ctx.permissions.look_at(query.selector, pods)
    containers = selector.matching(pods)
    return json_answer(pods_answer(containers, node=context.sessions.node, vmm=query.vmm))


async def get_hooks(request: NodeReq) -> HTTPResponse:
    """List trace hooks."""
    catalogue = request.app.ctx.sessions.catalogue
    rights = await request.ctx.permissions.of_hooks(catalogue.hooks)
    return json_answer(hooks_answer(catalogue, rights))


async def create_session(request: NodeReq) -> HTTPResponse:
    """Make a session."""
    context = request.app.ctx
    wanted = evolve(parse_session_request(request.body), caller=_caller(request))
    request.ctx.audit.note(**described(wanted))
    allowed = await request.ctx.permissions.narrow(wanted, await context.pods.pods())
    request.ctx.audit.note(**described(allowed))
    session = await _made(request, allowed)
    request.ctx.audit.note(session=session.session_id)
    return json_answer(
        await _describe(request, [session]),
        status=201,
        headers={"Location": f"/v1/trace-session/{session.session_id}"},
    )


async def get_sessions(request: NodeReq, session_id: str) -> HTTPResponse:
    """Describe a session, or all of them."""
    return json_answer(
        await _describe(request, await chosen_sessions(request, session_id, Action.GET))
    )


async def get_summaries(request: NodeReq, session_id: str) -> HTTPResponse:
    """Tell what the spans of a session come to, or those of all of them."""
    service = request.app.ctx.sessions
    buckets = parse_switch("buckets", query_of(request).get("buckets", ()))
    answer = {
        one.session_id: await asyncio.to_thread(
            summary_answer, one, await service.summary(one), node=service.node, buckets=buckets
        )
        for one in await chosen_sessions(request, session_id, Action.GET)
    }
    return await asyncio.to_thread(json_answer, answer)


async def change_session(request: NodeReq, session_id: str) -> HTTPResponse:
    """Let a session run, or not."""
    sessions = request.app.ctx.sessions
    known_as = parse_session_id(session_id)
    chosen = await chosen_sessions(request, known_as, Action.UPDATE)
    meant, run = [one.session_id for one in chosen], parse_run(request.body)
    request.ctx.audit.note(run=run)
    if run:
        changes = [sessions.start(one, caller=_caller(request)) for one in meant]
    else:
        changes = [sessions.stop(one) for one in meant]
    await _to_its_end(request, _all(changes))
    return json_answer({})


async def delete_sessions(request: NodeReq, session_id: str) -> HTTPResponse:
    """Delete a session, or all of them."""
    sessions = request.app.ctx.sessions
    chosen = [one.session_id for one in await chosen_sessions(request, session_id, Action.DELETE)]
    if session_id == ALL:
        request.ctx.audit.note(sessions=chosen)
        await _to_its_end(request, sessions.delete_each(chosen))
    else:
        await _to_its_end(request, _all([sessions.delete(one) for one in chosen]))
    return json_answer({})


async def readyz(request: NodeReq) -> HTTPResponse:
    """Tell whether the kernel can be traced, and how containers are found."""
    context = request.app.ctx
    if reason := context.sessions.unavailable():
        raise TracingUnavailable(reason)
    return json_answer(ready_answer(context.choice()))


def _caller(request: NodeReq) -> SpanContext | None:
    """Name the span that a session is to be below: ours, if its trace came with the request."""
    return told_context() if request.ctx.caller else None


async def _describe(request: NodeReq, sessions: Sequence[TraceSession]) -> Json:
    service = request.app.ctx.sessions
    return {
        one.session_id: session_answer(one, await service.statistics(one), node=service.node)
        for one in sessions
    }


async def _made(request: NodeReq, wanted: SessionRequest) -> TraceSession:
    """Make a session; if its client hangs up meanwhile, nobody knows its id, and it is deleted."""
    sessions, gone = request.app.ctx.sessions, asyncio.Event()

    async def make() -> TraceSession:
        session = await sessions.create(wanted)
        if gone.is_set():
            await sessions.delete(session.session_id)
        return session

    try:
        return await _to_its_end(request, make())
    except asyncio.CancelledError:
        gone.set()
        request.ctx.audit.note(deleted_again=True)
        raise


async def _all(changes: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Change the sessions of a group, each of them even if another cannot be."""
    for end in await asyncio.gather(*changes, return_exceptions=True):
        if isinstance(end, BaseException):
            raise end


async def _to_its_end(request: NodeReq, change: Coroutine[Any, Any, T]) -> T:
    """Finish a change even if its client hangs up: no session may be left half started."""
    task = asyncio.create_task(change, name="session.change")
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        request.ctx.audit.hold(task)
        raise
