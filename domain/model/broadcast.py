"""How the replies of nodes become one answer."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from attrs import field, frozen

from .errors import RequestError
from .node_errors import NodeError, node_errors_json
from .node_reply import NodeReply, Outcome

Json: TypeAlias = dict[str, Any]

_CLIENTS_FAULT = frozenset({400, 401, 403, 413, 415, 422})
"""Statuses that say that the request is wrong, wherever it would be sent."""

_NOT_READY = 503


class NodeRefusal(RequestError):
    """Nodes refuse what was asked of them: the problem of one of them, which is passed on."""

    def __init__(
        self, message: str, *, status: int = 400, title: str = "", type_uri: str = "about:blank"
    ) -> None:
        super().__init__(message)
        self.status, self.title, self.type_uri = status, title, type_uri

    @classmethod
    def of(cls, reply: NodeReply) -> "NodeRefusal":
        """Take the problem that a node answered with."""
        return cls(reply.detail, status=reply.status, title=reply.title, type_uri=reply.type_uri)


@frozen(kw_only=True)
class Replies:
    """What came of asking nodes, in the order of their names.

    `unready` are those that could not be asked, and why: nobody waits for what they have.
    """

    all: Sequence[NodeReply] = ()
    unready: Mapping[str, str] = field(factory=dict)

    @property
    def done(self) -> list[NodeReply]:
        """Those that did what was asked."""
        return self._of(Outcome.DONE)

    @property
    def failed(self) -> list[NodeReply]:
        """Those that gave no answer, or failed."""
        return self._of(Outcome.FAILED)

    @property
    def refusal(self) -> NodeReply | None:
        """What is to be passed on where nobody did what was asked; None where nodes failed."""
        refused = self._of(Outcome.REFUSED)
        theirs = [one for one in refused if one.status in _CLIENTS_FAULT]
        absent = [] if self.failed else self._of(Outcome.ABSENT)
        return next(iter((*theirs, *refused, *absent)), None)

    @property
    def errors(self) -> tuple[NodeError, ...]:
        """What went wrong. That a node does not have what another may have is no error."""
        wrong = (one.error for one in self.all if one.outcome in (Outcome.REFUSED, Outcome.FAILED))
        return (*wrong, *(not_ready(node, why) for node, why in self.unready.items()))

    def _of(self, outcome: Outcome) -> list[NodeReply]:
        return [one for one in self.all if one.outcome is outcome]


def not_ready(node: str, reason: str) -> NodeError:
    """Say that the tracer of a node could not be asked."""
    return NodeError(node=node, status=_NOT_READY, title="Not ready", detail=reason)


def merged_members(replies: Replies) -> str:
    """Put the objects that nodes answered together; members keep the JSON they have.

    A key that several nodes have is qualified for each of them: `node/key`.
    """
    keys = [key for one in replies.done for key in one.keys]
    if len(set(keys)) < len(keys):
        return _object(_qualified(replies.done))
    return f"{{{', '.join(one.inside for one in replies.done if one.keys)}}}"


def merged_sessions(replies: Replies) -> str:
    """Put sessions together; where nodes have failed, each says so in `NodeErrors`."""
    sessions = _qualified(replies.done)
    if errors := replies.errors:
        told = f'"NodeErrors": {node_errors_json(errors)}}}'
        sessions = {key: _told(session, told) for key, session in sessions.items()}
    return _object(sessions)


def _told(session: str, told: str) -> str:
    """Add a member at the end of an object; what is no object is left as it is."""
    if not session.startswith("{"):
        return session
    rest = session[:-1].rstrip()
    return f"{rest}{told}" if rest == "{" else f"{rest}, {told}"


def merged_nothing(_replies: Replies) -> str:
    """Answer that it was done."""
    return "{}"


def merged_hooks(replies: Replies) -> str:
    """Put hooks together: one can be had if any node can do it.

    `UnavailableOn` names the nodes that cannot, and why.
    """
    groups: dict[str, dict[str, dict[str, Json]]] = {}
    for reply in replies.done:
        for group, text in reply.members.items():
            for hook, described in _tracers(text).items():
                groups.setdefault(group, {}).setdefault(hook, {})[reply.node] = described
    return json.dumps(
        {
            group: {"Tracers": {name: _merged_hook(nodes) for name, nodes in hooks.items()}}
            for group, hooks in groups.items()
        }
    )


def _tracers(text: str) -> dict[str, Json]:
    group = json.loads(text)
    tracers = group.get("Tracers") if isinstance(group, dict) else None
    found = tracers if isinstance(tracers, dict) else {}
    return {name: hook for name, hook in found.items() if isinstance(hook, dict)}


def _merged_hook(nodes: Mapping[str, Json]) -> Json:
    reasons = {
        node: str(hook.get("Reason", "")) for node, hook in nodes.items() if not _available(hook)
    }
    best = next((hook for hook in nodes.values() if _available(hook)), None)
    return {**(best or next(iter(nodes.values()))), "UnavailableOn": reasons}


def _available(hook: Json) -> bool:
    return hook.get("Available") is True


def _qualified(replies: Iterable[NodeReply]) -> dict[str, str]:
    found = [(one.node, key, value) for one in replies for key, value in one.members.items()]
    times = Counter(key for _, key, _ in found)
    shared = {key for key, number in times.items() if number > 1}
    # What one node calls `a/web` may be what `web` of node `a` is called now.
    written = {f"{node}/{key}" for node, key, _ in found if key in shared}
    shared |= written
    return {f"{node}/{key}" if key in shared else key: value for node, key, value in found}


def _object(members: Mapping[str, str]) -> str:
    inside = ", ".join(f"{json.dumps(key)}: {value}" for key, value in members.items())
    return f"{{{inside}}}"
