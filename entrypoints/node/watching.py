"""Live spans over HTTP: an answer that goes on as long as its session runs."""

import time

import structlog
from sanic.response import HTTPResponse

from ...domain.model.access import Action
from ...domain.services.watcher import Ended, Watcher
from ..rest.schema import parse_session_id
from ..rest.stream_form import form_of
from ..rest.streams import opening, shown
from .choosing import chosen_sessions
from .context import NodeReq

_log = structlog.get_logger()


async def get_events(request: NodeReq, session_id: str) -> HTTPResponse | None:
    """Show a session's spans as they come, until its run is over or the client has gone."""
    service = request.app.ctx.sessions
    session = (await chosen_sessions(request, parse_session_id(session_id), Action.GET))[-1]
    form = form_of(",".join(request.headers.getall("accept", [])))
    if request.method == "HEAD":
        return HTTPResponse(content_type=form.content_type, headers=dict(form.headers))
    first = opening(form, session.session_id, session.state.value)
    with service.watching(session, form.spans) as watcher:
        answer = await request.respond(content_type=form.content_type, headers=dict(form.headers))
        ended = False
        try:
            await answer.send(first)
            while not ended:
                item = await watcher.next()
                await answer.send(shown(form, item, watcher))
                ended = isinstance(item, Ended)
            await answer.eof()
        finally:
            _log_end(request, watcher, ended="session" if ended else "client")
    return None


def _log_end(request: NodeReq, watcher: Watcher, *, ended: str) -> None:
    """Write the line about a stream; that about the request was written when it began."""
    _log.info(
        "stream.ended",
        path=request.path,
        by=ended,
        spans=watcher.shown_spans,
        dropped=watcher.dropped_spans,
        duration_ms=round((time.perf_counter() - request.ctx.started) * 1000, 3),
    )
