"""What may go wrong with an API server, on demand."""

import asyncio
from collections.abc import Mapping
from enum import Enum

from aiohttp import web
from attrs import define, field

from .calls import Call
from .statuses import Refused


class Manners(Enum):
    """How a request is dealt with instead of being answered as it should."""

    ANSWERS = "answers with the status, headers and body of the fault"
    HANGS = "never answers"
    HANGS_UP = "closes the connection without an answer"
    BREAKS_OFF = "closes the connection in the middle of its answer"


@define(kw_only=True)
class Fault:
    """Befalls the next `times` calls with the verb and resource; empty is every one."""

    manners: Manners = Manners.ANSWERS
    status: int = 500
    reason: str = "InternalError"
    message: str = "etcdserver: leader changed"
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes | None = None
    verb: str = ""
    resource: str = ""
    times: int = 1

    def befalls(self, call: Call) -> bool:
        """Tell whether it is about such a call."""
        return self.verb in ("", call.verb) and self.resource in ("", call.resource)


def take(faults: list[Fault], call: Call) -> Fault | None:
    """Return the fault that befalls a call, and count it down."""
    found = next((one for one in faults if one.befalls(call)), None)
    if found is None:
        return None
    found.times -= 1
    if found.times <= 0:
        faults.remove(found)
    return found


async def misbehave(fault: Fault, request: web.Request) -> web.StreamResponse:
    """Deal with a request as a fault says."""
    assert request.transport is not None  # noqa: S101 - for mypy
    match fault.manners:
        case Manners.HANGS:
            await asyncio.Event().wait()  # until the client, or the server, hangs up
        case Manners.HANGS_UP:
            request.transport.abort()
        case Manners.BREAKS_OFF:
            response = web.StreamResponse(headers={"Content-Length": "1000"})
            await response.prepare(request)
            await response.write(b'{"kind": "PodList", "items": [{')
            request.transport.close()
            return response
    if fault.body is not None:
        return web.Response(status=fault.status, body=fault.body, headers=fault.headers)
    refusal = Refused(fault.status, fault.reason, fault.message)
    return web.json_response(refusal.status, status=fault.status, headers=fault.headers)
