"""Single spans that say all one can, and whatever else there may be."""

from hypothesis import strategies as st

from container_tracer.domain.model.single_span import (
    AttributeMap,
    SingleSpan,
    SingleSpanKind,
    SpanEvent,
    SpanLink,
    SpanOrigin,
    SpanStatus,
)
from container_tracer.domain.model.trace_context import SpanContext
from container_tracer.fakes.spans import NOON_NS

EVERY_VALUE: AttributeMap = {
    "a.true": True,
    "a.one": 1,
    "a.float": 1.0,
    "a.least": -(2**63),
    "a.most": 2**63 - 1,
    "a.nan": float("nan"),
    "a.infinity": float("-inf"),
    "a.zero": -0.0,
    "a.text": "\udcff\n\U0001f600",
    "a.empty": "",
    "a.texts": ("x", "\ud8ff"),
    "a.numbers": (1, 2),
    "a.floats": (0.5, float("inf")),
    "a.switches": (True, False),
    "a.nothing": (),
}
ELSEWHERE = SpanContext(trace_id=b"\xab" * 16, span_id=b"\xcd" * 8, trace_state="v=1")
UNKEPT = SpanContext(trace_id=b"\xef" * 16, span_id=b"\x01" * 8, sampled=False)
GUEST = SpanOrigin(
    attributes={"service.name": "kata-agent", "k8s.pod.name": "shop", "on": True, "pids": (1, 2)},
    scope="agent",
)
NOBODY = SpanOrigin(attributes={"service.name": "x"})

ROOT = SingleSpan(
    name="POST /v1/trace-session",
    kind=SingleSpanKind.SERVER,
    trace_id=bytes(range(16)),
    span_id=b"\xff" * 8,
    started_ns=NOON_NS,
    ended_ns=NOON_NS + 5_000,
    attributes={"a.method": "POST", "a.status": 201},
)
FULL = SingleSpan(
    name="POST\ud8ff tracer-node",
    kind=SingleSpanKind.CLIENT,
    trace_id=ROOT.trace_id,
    span_id=bytes(7) + b"\1",
    parent_span_id=ROOT.span_id,
    trace_state="a=1,b=2",
    started_ns=NOON_NS + 1_499,
    ended_ns=NOON_NS + 4_000,
    attributes=EVERY_VALUE,
    events=(
        SpanEvent(name="retry", time_ns=NOON_NS + 2_500, attributes=EVERY_VALUE),
        SpanEvent(name="", time_ns=NOON_NS + 2_501, dropped_attributes=3),
    ),
    links=(
        SpanLink(context=ELSEWHERE, attributes=EVERY_VALUE, dropped_attributes=4),
        SpanLink(context=UNKEPT),
    ),
    status=SpanStatus.ERROR,
    status_message="refuses connections",
    dropped_attributes=5,
    dropped_events=6,
    dropped_links=7,
)


def one_of_each() -> list[SingleSpan]:
    """Return spans of every kind, status and origin, those of an origin not one after the other."""
    spans = [ROOT, FULL]
    number = 1
    for origin in (GUEST, None, NOBODY):
        for kind in SingleSpanKind:
            for status in SpanStatus:
                number += 1
                spans.append(
                    SingleSpan(
                        name=f"{kind} {status}",
                        kind=kind,
                        trace_id=ROOT.trace_id,
                        span_id=number.to_bytes(8, "big"),
                        started_ns=NOON_NS,
                        ended_ns=NOON_NS,
                        status=status,
                        origin=origin,
                    )
                )
    return spans[::2] + spans[1::2]


_texts = st.text(max_size=8) | st.sampled_from(["\udcff", "\x00", "\U0001f600", "NaN"])
_numbers = st.integers(-(2**63), 2**63 - 1)
_scalars = (st.booleans(), _numbers, st.floats(), _texts)
_values = st.one_of(*_scalars, *(st.lists(one, max_size=3).map(tuple) for one in _scalars))
_maps = st.dictionaries(_texts.map(lambda name: f"a.{name}"), _values, max_size=4)
_times = st.integers(0, 2**62)
_counts = st.sampled_from([0, 0, 1, 2**31])
_contexts = st.builds(
    SpanContext,
    trace_id=st.binary(min_size=16, max_size=16).filter(any),
    span_id=st.binary(min_size=8, max_size=8).filter(any),
    sampled=st.booleans(),
    trace_state=_texts,
)
ANY_SPANS = st.builds(
    lambda context, parent, start, length, **rest: SingleSpan(
        trace_id=context.trace_id,
        span_id=context.span_id,
        trace_state=context.trace_state,
        parent_span_id=parent.span_id if parent else b"",
        started_ns=start,
        ended_ns=start + length,
        **rest,
    ),
    context=_contexts,
    parent=st.none() | _contexts,
    start=_times,
    length=_times,
    name=_texts,
    kind=st.sampled_from(SingleSpanKind),
    attributes=_maps,
    events=st.lists(
        st.builds(
            SpanEvent,
            name=_texts.map(lambda name: f"e{name}"),
            time_ns=_times,
            attributes=_maps,
            dropped_attributes=_counts,
        ),
        max_size=3,
    ),
    links=st.lists(
        st.builds(SpanLink, context=_contexts, attributes=_maps, dropped_attributes=_counts),
        max_size=3,
    ),
    status=st.sampled_from(SpanStatus),
    status_message=_texts,
    origin=st.sampled_from([None, GUEST, NOBODY]),
    dropped_attributes=_counts,
    dropped_events=_counts,
    dropped_links=_counts,
)
