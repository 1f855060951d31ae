"""Spans as lines for people: time, container, task, duration, and the call with its result."""

from datetime import UTC, datetime

from attrs import define, field
from rich.cells import cell_len, set_cell_size

from ...client import Dropped, Span
from ...domain.model.durations import duration_text
from ...domain.model.quoting import printable
from .table import ELLIPSIS, GAP, MIN_CUT, cut_end, cut_text, styled

NARROW = 100
"""A terminal with fewer cells shows tasks without their numbers, and times without dates."""

ADDRESSES_FROM = 2**40
"""Results from here on are addresses, and are written as such."""

DURATION_CELLS = 8
TIME_CELLS = {False: 12, True: 30}


@define(kw_only=True)
class SpanLines:
    """Lines of one stream; its columns grow with what they hold, and never shrink.

    `qualified` says that pods are shown with their namespaces. So they are if there is room, and
    from where a name turns up that is that of another pod, too.
    `nodes` says that there is more than one node, so that whose a span is has a column, too.
    Without a `width` nothing is cut. The call is the last column: what has to be cut on a
    terminal are its arguments, and never its name or its result.
    """

    width: int | None = None
    wide: bool = False
    colour: bool = False
    qualified: bool = False
    nodes: bool = False
    _namespaces: dict[str, str] = field(factory=dict)
    _node: int = 4
    _container: int = 9
    _task: int = 4

    def header(self) -> str:
        """Name the columns."""
        names = self._places("TIME", "NODE", "CONTAINER", "TASK", "DURATION")
        return styled(f"{names}CALL", "head", colour=self.colour)

    def line(self, span: Span) -> str:
        """Write a span."""
        node, container = printable(span.node), printable(self._label(span))
        task = printable(self._task_of(span))
        self._grow(node, container, task)
        duration = duration_text(span.duration_ns)
        places = self._places(self._time(span), node, container, task, duration)
        room = None if self.width is None else max(0, self.width - cell_len(places))
        if room == 0 and self.width is not None:
            return cut_end(places.rstrip(), self.width)
        time, rest = places[: self._time_cells], places[self._time_cells :]
        return f"{styled(time, 'dim', colour=self.colour)}{rest}{self._call(span, room)}"

    def gap(self, dropped: Dropped) -> str:
        """Write where spans are missing."""
        text = f"... {dropped.spans} spans ({dropped.events} events) were not shown: too slow ..."
        return styled(text, "warn", colour=self.colour)

    def interruption(self) -> str:
        """Write where nobody knows what is missing."""
        text = "... the stream broke off, and was taken up again: calls are missing here ..."
        return styled(text, "warn", colour=self.colour)

    @property
    def _time_cells(self) -> int:
        return TIME_CELLS[self.wide and not self._narrow]

    @property
    def _narrow(self) -> bool:
        return self.width is not None and self.width < NARROW

    def _time(self, span: Span) -> str:
        if self.wide and not self._narrow and span.time:
            return printable(span.time)
        seconds, rest = divmod(span.start_ns, 10**9)
        return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S}.{rest // 10**6:03d}"

    def _label(self, span: Span) -> str:
        if self._namespaces.setdefault(span.pod, span.namespace) != span.namespace:
            self.qualified = True
        qualified = span.namespace and (self.wide or self.qualified)
        pod = f"{span.namespace}/{span.pod}" if qualified else span.pod
        vmm = " (VMM)" if span.vmm else ""
        if span.container in ("", span.pod):
            return f"{pod}{vmm}"
        return f"{pod} {span.container}{vmm}" if pod else f"{span.container}{vmm}"

    def _task_of(self, span: Span) -> str:
        if self.wide:
            return f"{span.command} {span.pid}/{span.tid}"
        return span.command if self._narrow else f"{span.command}/{span.tid}"

    def _grow(self, node: str, container: str, task: str) -> None:
        self._node = max(self._node, cell_len(node))
        self._container = max(self._container, cell_len(container))
        self._task = max(self._task, cell_len(task))
        if self.width is not None:
            self._node = min(self._node, self.width // 8)
            self._container = min(self._container, self.width // 5)
            self._task = min(self._task, self.width // 6)

    def _places(self, time: str, node: str, container: str, task: str, duration: str) -> str:
        """Write everything before the call."""
        places = (
            _fitted(time, self._time_cells),
            *([_fitted(node, self._node)] if self.nodes else []),
            _fitted(container, self._container),
            _fitted(task, self._task),
            duration.rjust(DURATION_CELLS),
        )
        return "".join(f"{place}{GAP}" for place in places)

    def _call(self, span: Span, room: int | None) -> str:
        """Write `name(arguments) = result [why]`; where room is scarce arguments get it last."""
        name, result, why = printable(span.name), printable(_result(span)), ""
        arguments = printable(_arguments(span))
        if span.incomplete:
            why = printable(f" [{span.incomplete}]")
        if room is not None:
            result = cut_end(result, max(0, room - MIN_CUT))
            name = cut_text(name, room - cell_len(result))
            left = room - cell_len(name) - cell_len(result)
            why = cut_end(why, left) if left > MIN_CUT else ""
            arguments = _shortened(arguments, left - cell_len(why))
        style = "bad" if span.error else "warn" if span.incomplete else ""
        return f"{name}{arguments}{styled(result + why, style, colour=self.colour)}"


def _fitted(text: str, width: int) -> str:
    text = cut_text(text, width)
    return text + " " * (width - cell_len(text))


def _arguments(span: Span) -> str:
    if span.arguments is None:
        return "(?)"
    return "(" + ", ".join(f"{name}={value}" for name, value in span.arguments.items()) + ")"


def _result(span: Span) -> str:
    if span.error:
        return f" = {span.error}"
    if isinstance(span.result, int) and abs(span.result) >= ADDRESSES_FROM:
        return f" = {span.result:#x}"
    return "" if span.result is None else f" = {span.result}"


def _shortened(arguments: str, room: int) -> str:
    if cell_len(arguments) <= room:
        return arguments
    if room <= len("()") + 1:
        return ""
    return set_cell_size(arguments, room - 2).rstrip() + ELLIPSIS + ")"
