"""What went wrong at nodes while others answered, and how it is told."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from attrs import evolve, frozen

Json: TypeAlias = dict[str, Any]

MAX_BYTES = 6000
"""How long the list may be as JSON: it is a header too, and servers refuse those beyond 8 KiB."""

MAX_CHARACTERS = 400
"""How long the texts of one error may be."""


@frozen(kw_only=True)
class NodeError:
    """Why a node has no part in an answer; `status` is what it answered, or 502 or 503 for it."""

    node: str
    status: int
    title: str
    detail: str

    @property
    def json(self) -> Json:
        """Write it as the API does."""
        return {
            "node": self.node,
            "status": self.status,
            "title": self.title,
            "detail": self.detail,
        }


def node_errors_json(errors: Sequence[NodeError]) -> str:
    """Write errors as a JSON list of ASCII characters, `MAX_BYTES` at most.

    What does not fit is counted in a last element, `{"more": N}`.
    """
    written: list[str] = []
    left = MAX_BYTES
    for error in errors:
        text = json.dumps(_shortened(error).json)
        left -= len(text) + len(", ")
        if left < 0:
            break
        written.append(text)
    if more := len(errors) - len(written):
        written.append(json.dumps({"more": more}))
    return f"[{', '.join(written)}]"


def _shortened(error: NodeError) -> NodeError:
    return evolve(
        error,
        node=error.node[:MAX_CHARACTERS],
        title=error.title[:MAX_CHARACTERS],
        detail=error.detail[:MAX_CHARACTERS],
    )


def sentence(errors: Iterable[NodeError], most: int = 5) -> str:
    """Name nodes and what is wrong with each, the first few of them."""
    errors = list(errors)
    said = [f"{one.node}: {one.detail.rstrip('.')}" for one in errors[:most]]
    if len(errors) > most:
        said.append(f"and {len(errors) - most} more")
    return "; ".join(said)
