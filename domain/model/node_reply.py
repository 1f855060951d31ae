"""What came of asking one node: bytes become the members of an object, or a reason why not."""

import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, NoReturn

import orjson
from attrs import evolve, frozen

from .node_errors import NodeError

NOT_FOUND = 404
_SUCCESS, _REFUSED, _FAILED = range(200, 300), range(400, 500), range(500, 600)
_BAD_GATEWAY = 502
_PROBLEM_TYPE = "application/problem+json"
_BLANK = " \t\r\n"


class Outcome(Enum):
    """What an answer of a node comes to."""

    DONE = "done"
    ABSENT = "absent"
    """What was asked for is not on this node, but may be on another."""
    REFUSED = "refused"
    FAILED = "failed"


@frozen(kw_only=True)
class NodeReply:
    """The answer of a node, or what there is instead.

    `body` is the object it answered, as the node wrote it, and `keys` are those of its members.
    Nothing in it is written anew, which takes most of the time where there are many nodes.
    """

    node: str
    outcome: Outcome
    status: int = 0
    body: str = "{}"
    keys: Sequence[str] = ()
    title: str = ""
    detail: str = ""
    type_uri: str = "about:blank"

    @property
    def members(self) -> Mapping[str, str]:
        """Take the object apart: the JSON of its members as the node wrote it, by key."""
        return json_members(self.body)

    @property
    def inside(self) -> str:
        """Return what stands between the braces of the object."""
        return self.body.strip(_BLANK)[1:-1].strip(_BLANK)

    @property
    def error(self) -> NodeError:
        """Say what went wrong."""
        status = self.status or _BAD_GATEWAY
        return NodeError(node=self.node, status=status, title=self.title, detail=self.detail)


def read_reply(node: str, *, status: int, content_type: str, body: bytes) -> NodeReply:
    """Read what a node answered; whatever is wrong with it becomes a reply that failed."""
    try:
        text = body.decode("utf-8")
        members = _object(body)
    except (ValueError, RecursionError) as error:
        return failed(node, f"answers {_named(status)} and what is no JSON object: {error}")
    if status in _SUCCESS:
        return NodeReply(
            node=node, outcome=Outcome.DONE, status=status, body=text, keys=tuple(members)
        )
    if content_type != _PROBLEM_TYPE or status not in (*_REFUSED, *_FAILED):
        return failed(node, f"answers {_named(status)}, which a tracer does not")
    return _problem(node, status, members)


def _problem(node: str, status: int, members: Mapping[str, Any]) -> NodeReply:
    outcome = Outcome.REFUSED if status in _REFUSED else Outcome.FAILED
    return NodeReply(
        node=node,
        outcome=Outcome.ABSENT if status == NOT_FOUND else outcome,
        status=status,
        title=_text(members, "title") or "Error",
        detail=_text(members, "detail") or f"answers {_named(status)}",
        type_uri=_text(members, "type") or "about:blank",
    )


def failed(node: str, detail: str) -> NodeReply:
    """Make the reply of a node that gave none, or none that can be read."""
    return NodeReply(node=node, outcome=Outcome.FAILED, title="No answer", detail=detail)


def without_body(reply: NodeReply) -> NodeReply:
    """Drop what a node answered, where there is no room for it."""
    detail = "its answer is left out: the answers of all nodes are too large together"
    return evolve(failed(reply.node, detail), title="Answer too large")


def json_members(text: str) -> dict[str, str]:
    """Take a JSON object apart into the JSON of its members; raise `ValueError`."""
    members: dict[str, str] = {}
    at = _skip(text, 0)
    _expect(text, at, "{")
    at = _skip(text, at + 1)
    if text[at : at + 1] != "}":
        at = _member(text, at, members)
        while text[at : at + 1] == ",":
            at = _member(text, _skip(text, at + 1), members)
    _expect(text, at, "}")
    if _skip(text, at + 1) != len(text):
        raise ValueError("something follows the object")
    return members


def _member(text: str, at: int, members: dict[str, str]) -> int:
    """Read one member; return where what follows it begins."""
    _expect(text, at, '"')
    key, at = _DECODER.raw_decode(text, at)
    at = _skip(text, at)
    _expect(text, at, ":")
    start = _skip(text, at + 1)
    _, end = _DECODER.raw_decode(text, start)
    members[key] = text[start:end]
    return _skip(text, end)


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] and text[at] in _BLANK:
        at += 1
    return at


def _expect(text: str, at: int, character: str) -> None:
    if text[at : at + 1] != character:
        raise ValueError(f"no {character} at character {at}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _object(body: bytes) -> dict[str, Any]:
    """Parse all of it, so that only JSON is passed on; raise `ValueError`."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        # It refuses what is JSON all the same, such as names with bytes that are no UTF-8, escaped.
        value = _DECODER.decode(body.decode("utf-8"))
    if isinstance(value, dict):
        return value
    raise ValueError("it is something else")


def _text(members: Mapping[str, Any], key: str) -> str:
    value = members.get(key)
    return value if isinstance(value, str) else ""


def _named(status: int) -> str:
    return f"with status {status}"
