"""Asking every node at once."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

import structlog
from attrs import define, field

from ...ports.errors import NodesFailed, NodeUnreachable, NoNodes
from ...ports.node_client import NodeAnswer, NodeClient, NodeRequest
from ..model.broadcast import NodeRefusal, Replies
from ..model.node_choice import chosen_nodes
from ..model.node_errors import sentence
from ..model.node_reply import NodeReply, Outcome, failed, read_reply, without_body
from ..model.nodes import Node, Nodes

_log = structlog.get_logger()

MAX_ANSWERS_BYTES = 64 * 2**20
"""How much the answers of all nodes to one request may be together."""

ON_THE_SIDE_BYTES = 256 * 2**10
"""An answer that is larger is read where nobody else waits for it."""


@define
class _Room:
    """How much more may be kept for one request."""

    left: int

    def take(self, size: int) -> bool:
        self.left -= size
        return self.left >= 0


@define(kw_only=True, eq=False)
class Broadcast:
    """Asks nodes as they are known at that moment; one that hangs delays no other request.

    `nodes` tells which there are, `node_seconds` is how long each may take, `request_seconds`
    how long all of them may, and `max_bytes` how much they may answer together. `stale` says why
    `nodes` may not be those there are. `outcomes` counts what came of all requests to nodes.
    """

    nodes: Callable[[], Nodes]
    client: NodeClient
    node_seconds: float = 10.0
    request_seconds: float = 15.0
    max_bytes: int = MAX_ANSWERS_BYTES
    stale: Callable[[], str] = str
    outcomes: Counter[Outcome] = field(factory=Counter)

    def chosen(self, patterns: Sequence[str] = ()) -> Nodes:
        """Return the nodes that are meant; raise `UnknownNode`, or `NoNodes` if none is ready."""
        nodes = chosen_nodes(self.nodes(), patterns)
        if not nodes.ready:
            raise NoNodes(_why_none(nodes, self.stale()))
        return nodes

    async def ask(self, request: NodeRequest, *, patterns: Sequence[str] = ()) -> Replies:
        """Return what came of asking the nodes that are meant; raise what `chosen` does.

        If the caller is cancelled, every node sees its client hang up.
        """
        nodes = self.chosen(patterns)
        room = _Room(self.max_bytes)
        answers = await asyncio.gather(*(self._ask(one, request, room) for one in nodes.ready))
        replies = Replies(all=sorted(answers, key=lambda one: one.node), unready=nodes.unready)
        self._note(replies)
        return replies

    def _note(self, replies: Replies) -> None:
        self.outcomes.update(one.outcome for one in replies.all)
        if failed_nodes := replies.failed:
            said = sentence([one.error for one in failed_nodes])
            _log.warning("broadcast.nodes_failed", nodes=len(failed_nodes), said=said)

    async def _ask(self, node: Node, request: NodeRequest, room: _Room) -> NodeReply:
        seconds = min(self.node_seconds, self.request_seconds)
        try:
            answer = await self.client.ask(node, request, seconds=seconds)
        except NodeUnreachable as error:
            return failed(node.name, str(error))
        if len(answer.body) <= ON_THE_SIDE_BYTES:
            reply = _read(node, answer)
        else:
            reply = await asyncio.to_thread(_read, node, answer)
        return reply if room.take(len(answer.body)) else without_body(reply)


def check(replies: Replies) -> None:
    """Raise `NodeRefusal` or `NodesFailed` if no node did what was asked."""
    if replies.done:
        return
    if refusal := replies.refusal:
        raise NodeRefusal.of(refusal)
    failures = [one.error for one in replies.failed]
    raise NodesFailed(f"No node did what was asked. {sentence(failures)}.")


def _read(node: Node, answer: NodeAnswer) -> NodeReply:
    return read_reply(
        node.name, status=answer.status, content_type=answer.content_type, body=answer.body
    )


def _why_none(nodes: Nodes, stale: str) -> str:
    words = [stale] if stale else []
    if nodes.unready:
        said = "; ".join(f"{name}: {why}" for name, why in list(nodes.unready.items())[:5])
        words.append(f"No node is ready to be asked. {said}.")
    return " ".join(words) or "There is no node to ask: no tracer-node is known."
