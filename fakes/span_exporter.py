"""An exporter that keeps what it is given."""

import asyncio

from attrs import define, field

from ..domain.model.spans import SpanBatch
from ..ports.errors import ExportFailed
from ..ports.span_exporter import TraceContext


@define
class FakeSpanSink:
    """Keeps delivered batches; obeys its exporter's `failure` and `gate`."""

    exporter: "FakeSpanExporter"
    context: TraceContext
    output: str = ""
    batches: list[SpanBatch] = field(factory=list)
    closed: bool = False
    ended_ns: int | None = None

    async def write(self, batch: SpanBatch) -> None:
        """Keep the batch, once the gate is open, or fail as told."""
        await self.exporter.gate.wait()
        self.exporter.check()
        if self.exporter.failures:
            raise self.exporter.failures.pop(0)
        if self.closed:
            raise ExportFailed(f"The way out of session {self.context.session_id} is closed.")
        self.batches.append(batch)

    def arrived(self, batch: SpanBatch) -> tuple[int, int]:  # noqa: ARG002 - it is told
        """Say what the exporter was told to."""
        return self.exporter.arrived

    async def close(self, *, ended_ns: int | None = None) -> None:
        """Remember it."""
        self.closed, self.ended_ns = True, ended_ns


@define
class FakeSpanExporter:
    """Keeps every sink it opened in `sinks`.

    With a `failure`, opening and writing fail with that text; with `failures`, each write takes
    and raises the first of them. While `gate` is cleared, writes wait: `exporter.gate.clear()`
    makes it slow, `.set()` quick again. `arrived` is what every sink says of a write given up.
    """

    name: str = "fake"
    failure: str = ""
    failures: list[ExportFailed] = field(factory=list)
    arrived: tuple[int, int] = (0, 0)
    gather_seconds: float = 0.1
    sinks: list[FakeSpanSink] = field(factory=list)
    gate: asyncio.Event = field(factory=asyncio.Event)

    def __attrs_post_init__(self) -> None:
        """Begin quick."""
        self.gate.set()

    async def open(self, context: TraceContext) -> FakeSpanSink:
        """Make a sink, whose `output` names exporter and session."""
        self.check()
        sink = FakeSpanSink(self, context, f"{self.name}:{context.session_id}")
        self.sinks.append(sink)
        return sink

    def check(self) -> None:
        """Fail if told to."""
        if self.failure:
            raise ExportFailed(self.failure)

    @property
    def batches(self) -> list[SpanBatch]:
        """Everything delivered, sink by sink."""
        return [batch for sink in self.sinks for batch in sink.batches]
