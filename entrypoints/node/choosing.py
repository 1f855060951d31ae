"""Which sessions a path means, of those that the one who asks may see."""

from collections.abc import Sequence

from ...domain.model.access import Action
from ...domain.model.session import TraceSession
from ...domain.model.session_request import no_such_session
from ..rest.schema import ALL, parse_session_id
from .context import NodeReq


async def chosen_sessions(
    request: NodeReq, session_id: str, action: Action
) -> Sequence[TraceSession]:
    """Return a session, a group or all; raise `Forbidden`, or `UnknownSession` if there is none."""
    service = request.app.ctx.sessions
    request.ctx.audit.note(session=session_id)
    await request.ctx.permissions.check(action)
    if session_id == ALL:
        return await request.ctx.permissions.over(action, service.list())
    wanted = parse_session_id(session_id)
    allowed = await request.ctx.permissions.over(action, service.find(wanted))
    if not allowed:
        raise no_such_session(wanted)
    return [service.get(one.session_id) for one in allowed]  # which is what leases wait for
