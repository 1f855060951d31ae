"""What a node is asked for a client: nothing goes on that is not named here."""

import re
from collections.abc import Sequence
from urllib.parse import urlencode

from attrs import frozen

from ...ports.node_client import NodeRequest
from ..rest.middleware import REQUEST_ID_HEADER
from ..rest.routing import query_of
from .context import SvcReq

NODE = "node"
"""The parameter that svc keeps for itself: patterns for the names of nodes."""

FORWARDED = ("Authorization",)
"""Headers of a client that nodes see; they decide by themselves who may do what."""

_VALUE = re.compile(r"[\x20-\x7e]*")


@frozen(kw_only=True)
class Forwarded:
    """A request as nodes get it, and patterns for the names of those that do."""

    request: NodeRequest
    patterns: Sequence[str]


def forwarded(
    request: SvcReq, path: str, *, body: bytes = b"", accept: str = "application/json"
) -> Forwarded:
    """Turn a client's request into that for nodes; `path` is made of what was understood."""
    query = query_of(request)
    rest = [(name, one) for name, given in query.items() if name != NODE for one in given]
    headers = {name: _header(request, name) for name in FORWARDED}
    headers[REQUEST_ID_HEADER] = request.ctx.request_id
    headers["Accept"] = accept
    if body:
        headers["Content-Type"] = "application/json"
    return Forwarded(
        request=NodeRequest(
            method="GET" if request.method == "HEAD" else request.method,
            target=f"{path}?{urlencode(rest)}" if rest else path,
            headers={name: value for name, value in headers.items() if value},
            body=body,
        ),
        patterns=query.get(NODE, ()),
    )


def _header(request: SvcReq, name: str) -> str:
    """Return a header that was given once, in characters that cannot become another header."""
    given = request.headers.getall(name, [])
    return given[0] if len(given) == 1 and _VALUE.fullmatch(given[0]) else ""
