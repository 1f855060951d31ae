"""Streams of events of many nodes, as the one stream that a client sees."""

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import define, field

from .stream_lines import Told

MAX_NAMED = 5
"""So many nodes a text names; it counts the others."""

_STATES = ("running", "starting", "stopping", "created", "failed", "stopped")
"""Of several states, the first of these is that of the whole."""

_PER_CPU = frozenset({"AttributedByCpu", "Cpus"})
_SO_FAR = ("spans", "lost", "dropped")
_DEPTH = 3
_MAX_TEXT = 1000


@define
class _Leg:
    """What one node has said last; `broken` says why no more will come."""

    opening: Mapping[str, Any]
    so_far: dict[str, int] = field(factory=lambda: dict.fromkeys(_SO_FAR, 0))
    containers: int = 0
    ended: Mapping[str, Any] | None = None
    broken: str = ""


@define
class MergedEvents:
    """Takes what the nodes of a session say, and tells what is to be said of all of them.

    It begins when each of them has opened its stream: whoever has read `open` misses nothing that
    comes after it. Spans do not come here.
    """

    session_id: str
    _legs: dict[str, _Leg] = field(factory=dict)
    _time: str = ""

    def open(self, node: str, opening: Told) -> None:
        """Take the first line of a node's stream."""
        self._legs[node] = _Leg(opening=opening.body)

    def opening(self) -> Told:
        """Say that all who will be heard have opened."""
        states = {node: _text(leg.opening, "state") for node, leg in self._legs.items()}
        body = {"id": self.session_id, "state": _state(states.values()), "nodes": states}
        return Told(kind="open", body=body)

    def take(self, node: str, told: Told) -> Told | None:
        """Take any later line of a node; return what of it is passed on."""
        leg = self._legs[node]
        match told.kind:
            case "open":
                return None
            case "heartbeat":
                self._beat(leg, told.body)
                return None
            case "end":
                self._end(leg, told.body)
                return None
            case "container":
                leg.containers = _number(told.body, "containers")
        return Told(kind=told.kind, body={"node": node, **told.body})

    def break_off(self, node: str, why: str) -> Told:
        """Note that no more comes of a node although its session has not ended."""
        leg = self._legs[node]
        leg.broken, leg.containers = why, 0
        return Told(kind="node-error", body={"node": node, "detail": why})

    def heartbeat(self) -> Told | None:
        """Sum up the latest of each node; nothing before the first of them."""
        if not self._time:
            return None
        streaming = sum(leg.ended is None and not leg.broken for leg in self._legs.values())
        sums = {key: sum(leg.so_far[key] for leg in self._legs.values()) for key in _SO_FAR}
        containers = sum(leg.containers for leg in self._legs.values())
        body = {"time": self._time, **sums, "containers": containers, "nodes": streaming}
        return Told(kind="heartbeat", body=body)

    def end(self, stopped: str = "") -> Told:
        """Say how it ended on all nodes together, and sum up their statistics.

        `stopped` is why it ends although the streams of nodes go on.
        """
        ends = {node: leg.ended for node, leg in self._legs.items() if leg.ended is not None}
        broken = {node: leg.broken for node, leg in self._legs.items() if leg.broken}
        errors = {node: error for node, end in ends.items() if (error := _text(end, "error"))}
        body = {
            "reason": stopped or self._reason(ends),
            "state": self._state(ends),
            "error": _joined([*_each(errors), *_each(broken)]),
            "statistics": summed({node: end.get("statistics") for node, end in ends.items()}),
            "broken": broken,
        }
        return Told(kind="end", body=body)

    def _reason(self, ends: Mapping[str, Mapping[str, Any]]) -> str:
        reasons = {node: _text(end, "reason") for node, end in ends.items()}
        return _named(reasons) or "the streams of all nodes broke off"

    def _state(self, ends: Mapping[str, Mapping[str, Any]]) -> str:
        """Say how it is on the nodes that have not broken off: failed if there is none."""
        going_on = {
            _text(leg.opening, "state")
            for leg in self._legs.values()
            if leg.ended is None and not leg.broken
        }
        ended = {_text(end, "state") for end in ends.values()}
        if "failed" in ended or not ended | going_on:
            return "failed"
        return _state(ended | going_on)

    def _beat(self, leg: _Leg, body: Mapping[str, Any]) -> None:
        leg.so_far = {key: _number(body, key) for key in _SO_FAR}
        leg.containers = _number(body, "containers")
        self._time = max(self._time, _text(body, "time"))  # RFC 3339 in UTC sorts as text

    def _end(self, leg: _Leg, body: Mapping[str, Any]) -> None:
        leg.ended, leg.containers = body, 0
        statistics = body.get("statistics")
        if isinstance(statistics, dict):
            leg.so_far["spans"] = max(leg.so_far["spans"], _number(statistics, "Spans"))


def summed(statistics: Mapping[str, Any]) -> dict[str, Any]:
    """Add up the statistics of a session on several nodes, by name of the node.

    Numbers are added, those of CPUs are kept apart as `node/cpu`, texts that differ are joined.
    """
    total: dict[str, Any] = {}
    for node, one in statistics.items():
        if isinstance(one, dict):
            _add(total, one, node, depth=_DEPTH)
    return total


def _add(total: dict[str, Any], more: Mapping[str, Any], node: str, *, depth: int) -> None:
    for key, value in more.items():
        if not isinstance(value, dict):
            total[key] = _sum(total.get(key), value)
        elif depth and isinstance(inner := total.setdefault(key, {}), dict):
            if key in _PER_CPU:
                inner.update({f"{node}/{cpu}": numbers for cpu, numbers in value.items()})
            else:
                _add(inner, value, node, depth=depth - 1)


def _sum(one: object, other: object) -> object:
    if isinstance(one, int) and isinstance(other, int):
        return one + other
    if isinstance(one, str) and isinstance(other, str) and other not in one:
        return f"{one}; {other}"[:_MAX_TEXT] if one else other
    return other if one is None else one


def _state(states: Iterable[str]) -> str:
    known = set(states)
    return next((state for state in _STATES if state in known), "")


def _named(texts: Mapping[str, str]) -> str:
    """Say one text if all say the same, else which node says which."""
    nodes: dict[str, list[str]] = {}
    for node, text in texts.items():
        nodes.setdefault(text, []).append(node)
    if len(nodes) <= 1:
        return next(iter(nodes), "")
    return _joined([f"{text} ({_names(some)})" for text, some in nodes.items()])


def _names(nodes: list[str]) -> str:
    more = len(nodes) - MAX_NAMED
    return ", ".join(nodes[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def _each(texts: Mapping[str, str]) -> list[str]:
    return [f"{node}: {text}" for node, text in texts.items()]


def _joined(texts: list[str]) -> str:
    more = len(texts) - MAX_NAMED
    return "; ".join(texts[:MAX_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    return value if isinstance(value, str) else ""


def _number(body: Mapping[str, Any], key: str) -> int:
    value = body.get(key)
    return value if isinstance(value, int) else 0
