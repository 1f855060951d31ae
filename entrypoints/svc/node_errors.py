"""Every answer says what went wrong at nodes, in a header."""

from sanic.response import BaseHTTPResponse

from ...domain.model.node_errors import node_errors_json
from .context import SvcReq

NODE_ERRORS_HEADER = "X-Tracer-Node-Errors"


def tell_node_errors(request: SvcReq, response: BaseHTTPResponse) -> None:
    """Write the header, if there is anything to tell."""
    if request.ctx.node_errors:
        response.headers[NODE_ERRORS_HEADER] = node_errors_json(request.ctx.node_errors)
