"""A trace session: its life as a table, and how it ends."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from attrs import define, field

from .hook import TracePlan
from .isolation import Admitted, Refusal
from .pod import Container
from .sampling import SampleRate
from .session_request import IllegalTransition, SessionRequest
from .stats import SessionStats
from .summary import MAX_ENDED, Summary
from .trace_context import SpanContext


class SessionState(StrEnum):
    """Where a session is in its life."""

    CREATED = "created"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


TRANSITIONS: Mapping[SessionState, frozenset[SessionState]] = {
    SessionState.CREATED: frozenset({SessionState.STARTING}),
    SessionState.STARTING: frozenset({SessionState.RUNNING, SessionState.FAILED}),
    SessionState.RUNNING: frozenset({SessionState.STOPPING}),
    SessionState.STOPPING: frozenset({SessionState.STOPPED, SessionState.FAILED}),
    SessionState.STOPPED: frozenset({SessionState.STARTING}),
    SessionState.FAILED: frozenset({SessionState.STARTING}),
}


@define(kw_only=True)
class TraceSession:
    """One session of this node; it lives in the repository until it is deleted.

    Times are wall-clock nanoseconds, 0 for not yet. `reason` says why it ended, `error` what
    went wrong, `sample_rate` how much of its spans goes to `exporters`, `outputs` where these put
    them, `statistics` and `summary` are of its latest run.
    `containers` are those it has now, `ended` the last ones of `ended_count` that ended while it
    ran. `refused` are containers that it selects, but must not trace, the last ones too.
    `caller` is the span that started it last, else made it; `trace_id` has 16 bytes, of the trace
    that holds the span of its latest run, or none before the first.
    """

    session_id: str
    request: SessionRequest
    plan: TracePlan
    exporters: tuple[str, ...] = ()
    sample_rate: SampleRate = field(factory=SampleRate)
    containers: tuple[Container, ...] = ()
    ended: tuple[Container, ...] = ()
    ended_count: int = 0
    refused: tuple[Refusal, ...] = ()
    state: SessionState = SessionState.CREATED
    reason: str = ""
    error: str = ""
    created_ns: int = 0
    started_ns: int = 0
    ended_ns: int = 0
    caller: SpanContext | None = None
    trace_id: bytes = b""
    outputs: tuple[str, ...] = ()
    statistics: SessionStats = field(factory=SessionStats)
    summary: Summary = field(factory=Summary)

    def move(self, target: SessionState) -> None:
        """Go to another state, if the table allows it."""
        if target not in TRANSITIONS[self.state]:
            raise IllegalTransition(
                f"Session {self.session_id} is {self.state} and cannot become {target}."
            )
        self.state = target

    def own(self, containers: Iterable[Container]) -> tuple[Container, ...]:
        """Return those of containers that it has now."""
        mine = {one.key for one in self.containers}
        return tuple(one for one in containers if one.key in mine)

    def begin_with(self, admitted: Admitted) -> None:
        """Have the containers it starts with, and no others."""
        self.containers, self.refused = admitted.taken, admitted.refused[-MAX_ENDED:]
        self.ended, self.ended_count = (), 0

    def take_on(self, containers: Iterable[Container]) -> None:
        """Have more containers."""
        self.containers = (*self.containers, *containers)

    def let_go(self, containers: Sequence[Container]) -> None:
        """Keep containers as ended, up to `MAX_ENDED` in all."""
        keys = {one.key for one in containers}
        self.containers = tuple(one for one in self.containers if one.key not in keys)
        self.ended = (*self.ended, *containers)[-MAX_ENDED:]
        self.ended_count += len(containers)

    def refuse(self, refusals: Iterable[Refusal]) -> None:
        """Keep what it must not trace, each container once, up to `MAX_ENDED` in all."""
        known = {one.container.key for one in self.refused}
        news = (one for one in refusals if one.container.key not in known)
        self.refused = (*self.refused, *news)[-MAX_ENDED:]

    @property
    def running(self) -> bool:
        """Tell whether it holds anything in the kernel."""
        return self.state in (SessionState.STARTING, SessionState.RUNNING, SessionState.STOPPING)
