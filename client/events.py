"""What a stream of live events carries: spans, and what is to be known about the stream."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from attrs import field, frozen

from .errors import UnexpectedAnswer
from .node_errors import NodeError, read_node_error
from .reading import read_statistics
from .values import Json, Statistics


@frozen(kw_only=True)
class Span:
    """One call, or one item of a hook; times in nanoseconds since 1970, on the wall clock.

    `result` is None where the call was not seen to return, `arguments` None where it was not
    seen to begin; `incomplete` then says why. `error` is the name of an errno. `vmm` says that
    the container runs in a virtual machine, and that it was the machine's monitor that did it.
    """

    start_ns: int
    duration_ns: int
    name: str
    time: str = ""
    node: str = ""
    namespace: str = ""
    pod: str = ""
    container: str = ""
    container_id: str = ""
    vmm: bool = False
    pid: int = 0
    tid: int = 0
    command: str = ""
    arguments: Mapping[str, Any] | None = None
    result: int | str | None = None
    error: str = ""
    incomplete: str = ""
    events: int = 0
    json: Json = field(factory=dict, repr=False, eq=False)


@frozen(kw_only=True)
class Opened:
    """The first of every stream: from now on spans are seen."""

    session_id: str
    state: str
    json: Json = field(factory=dict, repr=False, eq=False)


@frozen(kw_only=True)
class Heartbeat:
    """A sign of life, each second in which nothing else comes.

    `spans` were passed on by the session so far, `lost` are events its source lost so far, and
    `dropped` are spans this stream lost so far. `containers` are traced now, None if the tracer
    does not say.
    """

    time: str = ""
    spans: int = 0
    lost: int = 0
    dropped: int = 0
    containers: int | None = None
    json: Json = field(factory=dict, repr=False, eq=False)


@frozen(kw_only=True)
class ContainerChange:
    """A container joined the session, or `ended`; `containers` are traced from then on.

    In a cluster those are the containers of its `node`.
    """

    ended: bool
    container: str
    pod: str = ""
    namespace: str = ""
    container_id: str = ""
    containers: int = 0
    node: str = ""
    json: Json = field(factory=dict, repr=False, eq=False)


@frozen(kw_only=True)
class Dropped:
    """A gap: we were too slow, and so much was skipped here, of a `node` of a cluster."""

    spans: int = 0
    events: int = 0
    node: str = ""
    json: Json = field(factory=dict, repr=False, eq=False)


@frozen(kw_only=True)
class Interrupted:
    """A gap: the stream broke off, `detail` says how, and was taken up again."""

    detail: str

    @property
    def json(self) -> Json:
        """The line a stream would have for it; none has, as it is only seen at its end."""
        return {"stream": "interrupted", "detail": self.detail}


@frozen(kw_only=True)
class End:
    """The last of every stream: why it ended, and the final balance of the run.

    `broken` are nodes of a cluster whose streams ended without this, and why; `error` names them,
    too.
    """

    reason: str
    state: str = ""
    error: str = ""
    broken: Mapping[str, str] = field(factory=dict)
    statistics: Statistics = field(factory=Statistics)
    json: Json = field(factory=dict, repr=False, eq=False)

    @property
    def failed(self) -> bool:
        """Tell whether the session failed; that nodes are gone while others went on is not it."""
        return self.state == "failed" or bool(self.error and not self.broken)


Event: TypeAlias = (
    Span | Opened | Heartbeat | ContainerChange | Dropped | Interrupted | NodeError | End
)


def read_event(line: bytes) -> Event | None:
    """Read a line of a stream; None is one of a kind that this client does not know."""
    try:
        value = json.loads(line)
        if not isinstance(value, dict):
            raise UnexpectedAnswer("A line of the stream of events is no JSON object.")
        if "stream" not in value:
            return _span(value)
        reader = _READERS.get(value["stream"])
        return reader(value) if reader else None
    except (ValueError, LookupError, TypeError) as error:
        raise UnexpectedAnswer(f"A line of the stream of events cannot be read: {error}.") from (
            error
        )


def _span(one: dict[str, Any]) -> Span:
    known = {name: one[name] for name in _SPAN_KEYS & one.keys()}
    return Span(**known, json=one)


def _opened(one: Json) -> Opened:
    return Opened(session_id=one["id"], state=one.get("state", ""), json=one)


def _heartbeat(one: Json) -> Heartbeat:
    return Heartbeat(
        time=one.get("time", ""),
        spans=one.get("spans", 0),
        lost=one.get("lost", 0),
        dropped=one.get("dropped", 0),
        containers=one.get("containers"),
        json=one,
    )


def _container(one: Json) -> ContainerChange:
    return ContainerChange(
        ended=one["change"] == "ended",
        container=one["container"],
        pod=one.get("pod", ""),
        namespace=one.get("namespace", ""),
        container_id=one.get("container_id", ""),
        containers=one.get("containers", 0),
        node=one.get("node", ""),
        json=one,
    )


def _dropped(one: Json) -> Dropped:
    return Dropped(
        spans=one.get("spans", 0),
        events=one.get("events", 0),
        node=one.get("node", ""),
        json=one,
    )


def _end(one: Json) -> End:
    return End(
        reason=one.get("reason", ""),
        state=one.get("state", ""),
        error=one.get("error", ""),
        broken=dict(one.get("broken") or {}),
        statistics=read_statistics(one.get("statistics") or {}),
        json=one,
    )


_READERS: Mapping[str, Callable[[Json], Event]] = {
    "open": _opened,
    "heartbeat": _heartbeat,
    "container": _container,
    "dropped": _dropped,
    "node-error": read_node_error,
    "end": _end,
}
_SPAN_KEYS = frozenset(
    {
        *("start_ns", "duration_ns", "name", "time", "node", "namespace", "pod", "container"),
        *("container_id", "vmm", "pid", "tid", "command", "arguments", "result", "error"),
        *("incomplete", "events"),
    }
)
