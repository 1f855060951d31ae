"""Live spans of all nodes over HTTP: one answer that goes on as long as the session runs."""

import time

import structlog
from sanic.response import HTTPResponse

from ...domain.model.access import Action
from ...domain.model.broadcast import Replies
from ...domain.model.nodes import Nodes
from ...domain.model.stream_lines import Told
from ...domain.services.broadcast import check
from ...domain.services.merged_events import MergedStream
from ..rest.schema import parse_session_id
from ..rest.stream_form import NDJSON_TYPE, StreamForm, form_of
from .context import SvcReq
from .forwarding import forwarded

_log = structlog.get_logger()


async def get_events(request: SvcReq, session_id: str) -> HTTPResponse | None:
    """Show a session's spans on all nodes as they come, until it is over or the client has gone."""
    context = request.app.ctx
    known = parse_session_id(session_id)
    await request.ctx.permissions.check(Action.GET)
    asked = forwarded(request, f"/v1/trace-session/{known}/events", accept=NDJSON_TYPE)
    nodes = context.broadcast.chosen(asked.patterns)
    form = form_of(",".join(request.headers.getall("accept", [])))
    async with context.streams.watching(nodes.ready, asked.request, session_id=known) as stream:
        _check(request, stream, nodes)
        if request.method == "HEAD":
            return HTTPResponse(content_type=form.content_type, headers=dict(form.headers))
        await _show(request, stream, form)
    return None


def _check(request: SvcReq, stream: MergedStream, nodes: Nodes) -> None:
    """Tell of the nodes that are not in the stream; raise if none is."""
    refusals = sorted(stream.refusals.values(), key=lambda one: one.node)
    replies = Replies(all=refusals, unready=nodes.unready)
    request.ctx.node_errors = replies.errors
    if not stream.streaming:
        check(replies)


async def _show(request: SvcReq, stream: MergedStream, form: StreamForm) -> None:
    spans, nodes, by = 0, len(stream.streaming), "client"
    answer = await request.respond(content_type=form.content_type, headers=dict(form.headers))
    try:
        async for item in stream.items():
            if isinstance(item, Told):
                await answer.send(form.told(item.kind, item.body))
            else:
                await answer.send(form.whole_lines(item))
                spans += item.count(b"\n")
        await answer.eof()
        by = "session"
    finally:
        _log.info(
            "stream.ended",
            path=request.path,
            by=by,
            nodes=nodes,
            spans=spans,
            duration_ms=round((time.perf_counter() - request.ctx.started) * 1000, 3),
        )
