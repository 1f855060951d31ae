"""Where spans go."""

from collections.abc import Mapping
from typing import Protocol

from attrs import field, frozen

from ..domain.model.sampling import SampleRate
from ..domain.model.spans import SpanBatch
from ..domain.model.trace_context import SpanContext
from ..domain.model.traces import SessionTrace


@frozen(kw_only=True)
class TraceContext:
    """What an exporter may want to know of the session whose spans it gets.

    `caller` is the span that started it, if that is known. `group` is the id it shares with
    sessions of other nodes, if there are any. `sample_rate` is how much of its spans is exported.
    """

    session_id: str
    node: str = ""
    hook: str = ""
    user_context: str = ""
    pod: str = ""
    started_ns: int = 0
    caller: SpanContext | None = None
    group: str = ""
    sample_rate: SampleRate = field(factory=SampleRate)

    @property
    def trace(self) -> SessionTrace:
        """The session's own span, named by the user's words, else after what it traces."""
        return SessionTrace.of(
            self.session_id,
            started_ns=self.started_ns,
            name=self.user_context or f"{self.hook} {self.pod}".strip() or "trace session",
            attributes={
                "node": self.node,
                "pod": self.pod,
                "traceJob": self.user_context or self.hook,
                "traceSession": self.session_id,
                **self._sampling,
            },
            caller=self.caller,
            group=self.group,
        )

    @property
    def _sampling(self) -> Mapping[str, str]:
        """Say of a part that it is one: whoever counts spans needs to know."""
        if self.sample_rate.always:
            return {}
        return {"container_tracer.sample_rate": str(self.sample_rate)}


class SpanSink(Protocol):
    """One session's way out through one exporter. Calls never overlap."""

    output: str
    """Where a person finds the spans: a path, an address, or the empty string."""

    async def write(self, batch: SpanBatch) -> None:
        """Deliver all spans of the batch, or raise `ExportFailed`, which says what became of them.

        After `ExportDelayed` the same batch may be written again, after `ExportRejected` all but
        some were delivered, after any other failure none was.
        """

    def arrived(self, batch: SpanBatch) -> tuple[int, int]:
        """Tell how many spans, and events, of a batch have arrived whose write was given up.

        That is after `ExportDelayed`, or when the write was cancelled.
        """

    async def close(self, *, ended_ns: int | None = None) -> None:
        """Finish what was written; again is harmless. Raises `ExportFailed`.

        `ended_ns` is when the session ended (wall clock). None if it never began, or if there is
        no time left: then nothing is sent, and whatever is open is let go at once. After
        `ExportDelayed` the sink is still open.
        """


class SpanExporter(Protocol):
    """A destination, shared by sessions."""

    name: str
    """As in `--trace-exporter`."""

    gather_seconds: float
    """How long spans may wait for more of them, because a write has a cost of its own.

    All exporters of a session that wait equally long are given the same batches.
    """

    async def open(self, context: TraceContext) -> SpanSink:
        """Prepare to take the spans of a session; raise `ExportFailed`."""
