"""Which spans of a virtual machine's traces have not come, and what takes their place.

An agent sends a span when it ends. What spans its whole life (`root-span`, and what starts the
sandbox) ends with the agent, so where a virtual machine is killed these never come, and what they
hold together falls apart. Their ids are known from the spans below them; so are times between
which they must have been there.

Spans of requests are below those of the runtime, if that sends a trace along; those are others' to
send. So the trace in which the agent began is looked after, and others as long as no span of this
guest ever was below somebody else's.
"""

from collections import OrderedDict
from collections.abc import Iterator

from attrs import define, field

from ..single_span import SingleSpan

ROOT_NAME = "root-span"
"""What agents call the span of their whole life."""

OTHER_NAME = "missing-span"

SYNTHETIC = "container_tracer.synthetic"

MAX_TRACES = 32
MAX_SPANS = 256
"""So many traces of a guest, and spans of each, are remembered."""

MAX_SETTLED = 256
"""So many traces are remembered of which nothing is missing any more."""

_REQUEST = "req"
"""What a span of a request holds, and no other."""


@define
class _Span:
    began_ns: int
    ended_ns: int

    def stretch(self, span: SingleSpan) -> None:
        self.began_ns = min(self.began_ns, span.started_ns)
        self.ended_ns = max(self.ended_ns, span.ended_ns)


@define
class _Trace:
    """`missing` are parents that have not come; `others` says that one is not the agent's."""

    whole: _Span
    root: bytes = b""
    others: bool = False
    overfull: bool = False
    ids: set[bytes] = field(factory=set)
    missing: dict[bytes, _Span] = field(factory=dict)

    def add(self, span: SingleSpan) -> None:
        self.whole.stretch(span)
        self.ids.add(span.span_id)
        self.missing.pop(span.span_id, None)
        parent = span.parent_span_id
        if not parent:
            self.root = self.root or span.span_id
        elif parent not in self.ids:
            below = self.missing.setdefault(parent, _Span(span.started_ns, span.ended_ns))
            below.stretch(span)
        self.overfull |= len(self.ids) + len(self.missing) > MAX_SPANS


@define
class GuestTraces:
    """The traces of one guest, as far as they are remembered."""

    _open: OrderedDict[bytes, _Trace] = field(factory=OrderedDict)
    _settled: OrderedDict[bytes, frozenset[bytes]] = field(factory=OrderedDict)
    """Traces that are looked after no more, and the ids of what stood in there."""
    _first: tuple[int, bytes] | None = None
    """When the span began that began first, and its trace."""
    _others: bool = False

    def add(self, span: SingleSpan) -> bool:
        """Remember a span as it was sent; tell whether one has stood in for it already."""
        trace_id = span.trace_id
        if trace_id in self._settled:
            return span.span_id in self._settled[trace_id]
        trace = self._open.get(trace_id)
        if trace is None:
            trace = self._open[trace_id] = _Trace(_Span(span.started_ns, span.ended_ns))
        trace.add(span)
        if span.parent_span_id and _REQUEST in span.attributes:
            trace.others = self._others = True
        if self._first is None or span.started_ns < self._first[0]:
            self._first = span.started_ns, trace_id
        self._make_room()
        return False

    def settle(self) -> list[SingleSpan]:
        """Return what stands in for spans that are missing, now that no more are expected."""
        made = [span for trace_id in self._looked_after() for span in self._stand_ins(trace_id)]
        for trace_id in list(self._open):
            ids = frozenset(one.span_id for one in made if one.trace_id == trace_id)
            self._settle(trace_id, ids)
        return made

    def _looked_after(self) -> Iterator[bytes]:
        for trace_id, trace in self._open.items():
            its_own = self._first is not None and self._first[1] == trace_id
            if (its_own or not self._others) and not (trace.others or trace.overfull):
                yield trace_id

    def _stand_ins(self, trace_id: bytes) -> Iterator[SingleSpan]:
        """Make one root, unless there is one, and put all else that is missing below it."""
        trace = self._open[trace_id]
        root = trace.root
        for span_id, below in sorted(trace.missing.items(), key=lambda one: one[1].began_ns):
            span = below if root else trace.whole
            yield SingleSpan(
                name=OTHER_NAME if root else ROOT_NAME,
                trace_id=trace_id,
                span_id=span_id,
                parent_span_id=root,
                started_ns=span.began_ns,
                ended_ns=span.ended_ns,
                attributes={SYNTHETIC: True},
            )
            root = root or span_id

    def _make_room(self) -> None:
        """Forget traces: such as nothing is missing in before others, the oldest first."""
        if len(self._open) <= MAX_TRACES:
            return
        own = self._first[1] if self._first else b""
        whole = (one for one, trace in self._open.items() if not trace.missing and one != own)
        oldest = (one for one in self._open if one != own)
        self._settle(next(whole, None) or next(oldest), frozenset())

    def _settle(self, trace_id: bytes, stood_in: frozenset[bytes]) -> None:
        del self._open[trace_id]
        self._settled[trace_id] = stood_in
        if len(self._settled) > MAX_SETTLED:
            self._settled.popitem(last=False)
