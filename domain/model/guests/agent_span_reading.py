"""The payload of a frame from a Kata agent → a span, whichever encoding it is in."""

from .agent_span import AgentSpan, Malformation, MalformedAgentSpan
from .agent_span_bincode import read_bincode
from .agent_span_json import read_json


def read_agent_span(payload: bytes) -> AgentSpan:
    """Read one frame without the length before it; raise `MalformedAgentSpan`, nothing else.

    JSON begins with a brace. So does one in 256 of the others: there it is the trace id's end.
    """
    if not payload.startswith(b"{"):
        return read_bincode(payload)
    try:
        return read_json(_decoded(payload))
    except MalformedAgentSpan as not_json:
        try:
            return read_bincode(payload)
        except MalformedAgentSpan:
            raise not_json from None


def _decoded(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise MalformedAgentSpan(Malformation.NOT_UNICODE, "it is not UTF-8") from None
