"""A stream of events on standard output, in the form that was asked for."""

from collections.abc import Sequence
from typing import Self

from attrs import define, field

from ...client import ContainerChange, Dropped, End, Event, Heartbeat, Interrupted, NodeError, Span
from .command import Invocation
from .output import Output
from .progress import ProgressLine, Tally, can_show_progress
from .span_lines import SpanLines
from .writing import LineWriter


@define(kw_only=True, eq=False)
class SpanView:
    """Counts and shows events as they come; lives as long as a stream."""

    output: Output
    writer: LineWriter
    lines: SpanLines
    progress: ProgressLine
    tally: Tally
    _headed: bool = False
    _namespaces: dict[str, str] = field(factory=dict)

    @classmethod
    def of(cls, invocation: Invocation) -> Self:
        """Make the view for a call of a command."""
        output, tally = invocation.output, Tally()
        enabled = can_show_progress(output.errors, invocation.environ)
        return cls(
            output=output,
            writer=LineWriter(output.stream),
            lines=SpanLines(width=output.width, wide=output.wide, colour=output.colour),
            progress=ProgressLine(tally=tally, stream=output.errors, enabled=enabled),
            tally=tally,
        )

    async def take(self, event: Event) -> None:
        """Count an event, and show it; raise `BrokenPipeError` when nobody reads any more."""
        self._count(event)
        if isinstance(event, Heartbeat):
            self.writer.check()
        if self.output.for_people:
            await self._tell(event)
        elif isinstance(event, Span | Dropped | ContainerChange | Interrupted | NodeError | End):
            await self._write(self.output.item_text(event.json))

    def _count(self, event: Event) -> None:
        match event:
            case Span():
                self.tally.spans += 1
            case Dropped():
                self.tally.dropped_spans += event.spans
            case Heartbeat():
                self.tally.lost_events = max(self.tally.lost_events, event.lost)
                if event.containers is not None:
                    self.tally.containers = event.containers
            case ContainerChange():
                self.tally.containers = self._containers_after(event)
            case NodeError():
                self.missing([event])
            case Interrupted():
                self.tally.interruptions += 1
            case End():
                self.tally.lost_events = max(self.tally.lost_events, event.statistics.lost)

    def _containers_after(self, change: ContainerChange) -> int:
        if not change.node:
            return change.containers
        # It counts those of its own node; how many others have is not in it.
        return (self.tally.containers or 0) + (-1 if change.ended else 1)

    def missing(self, failed: Sequence[NodeError]) -> None:
        """Note nodes of a cluster from which nothing comes, and say so."""
        self.tally.note_failed(failed)
        self.progress.erase()
        self.output.failed_nodes(failed)

    async def _tell(self, event: Event) -> None:
        match event:
            case Span():
                self._tell_apart(event)
                await self._write_line(self.lines.line(event))
            case Dropped():
                await self._write_line(self.lines.gap(event))
            case Interrupted():
                await self._write_line(self.lines.interruption())
            case ContainerChange():
                self.progress.erase()
                self.output.note(change_line(event))

    def _tell_apart(self, span: Span) -> None:
        """Show namespaces from when two pods of one name were seen."""
        if self._namespaces.setdefault(span.pod, span.namespace) != span.namespace:
            self.lines.qualified = True

    async def _write_line(self, line: str) -> None:
        if not self._headed:  # only now, because columns grow with what they hold
            self._headed = True
            await self._write(self.lines.header())
        await self._write(line)

    async def _write(self, text: str) -> None:
        self.progress.erase()
        await self.writer.write(text)


def change_line(change: ContainerChange) -> str:
    """Say that a container joined, or ended."""
    pod = f"{change.namespace}/{change.pod}" if change.namespace else change.pod
    place = pod if change.container in ("", change.pod) else f"{pod} {change.container}"
    on = f" on {change.node}" if change.node else ""
    return f"{place} {'ended' if change.ended else 'joined'}{on}."
