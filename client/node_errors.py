"""Nodes of a cluster that did not do what the others did: beside an answer, not instead of it."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Self, TypeVar

from attrs import field, frozen

HEADER = "X-Tracer-Node-Errors"

T_co = TypeVar("T_co", covariant=True)


@frozen(kw_only=True)
class NodeError:
    """A node that failed, and why; `status` and `title` are its answer's, 0 and empty if none."""

    node: str
    detail: str = ""
    status: int = 0
    title: str = ""
    json: Mapping[str, Any] = field(factory=dict, repr=False, eq=False)

    def __str__(self) -> str:
        """Write it as a line for people."""
        return f"{self.node}: {self.detail or self.title or 'It failed.'}"


class Answer(tuple[T_co, ...]):  # noqa: SLOT001 - a tuple can have no slots
    """What was asked for, as a tuple, and `node_errors`: nodes of which it lacks the part."""

    node_errors: tuple[NodeError, ...]

    def __new__(cls, values: Iterable[T_co] = (), *, node_errors: Iterable[NodeError] = ()) -> Self:
        """Take both."""
        answer = super().__new__(cls, values)
        answer.node_errors = tuple(node_errors)
        return answer


def node_errors_of(header: str) -> tuple[NodeError, ...]:
    """Read the header of an answer; one that cannot be read says nothing."""
    try:
        listed = json.loads(header) if header else []
    except ValueError:
        return ()
    return read_node_errors(listed)


def read_node_errors(listed: object) -> tuple[NodeError, ...]:
    """Read the JSON list; the last element may only count those that had no room in it."""
    told = listed if isinstance(listed, list) else []
    return tuple(read_node_error(one) for one in told if isinstance(one, dict))


def read_node_error(one: Mapping[str, Any]) -> NodeError:
    """Read one element of the list, or a line of a stream."""
    more = one.get("more")
    if isinstance(more, int):
        return NodeError(node=f"{more} more", detail="They failed, too.", json=one)
    status = one.get("status")
    return NodeError(
        node=str(one.get("node") or "?"),
        detail=str(one.get("detail") or ""),
        status=status if isinstance(status, int) else 0,
        title=str(one.get("title") or ""),
        json=one,
    )
