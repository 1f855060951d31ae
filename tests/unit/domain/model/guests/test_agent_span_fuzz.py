"""Any bytes are a span that every exporter can take, or malformed: never another exception."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from container_tracer.domain.model.guests.agent_span import AgentSpan, MalformedAgentSpan
from container_tracer.domain.model.guests.agent_span_document import LARGE_CHARACTERS
from container_tracer.domain.model.guests.agent_span_reading import read_agent_span
from container_tracer.domain.model.guests.redaction import GuestTexts
from container_tracer.domain.model.single_span import (
    AttributeMap,
    AttributeValue,
    SingleSpan,
    SingleSpanKind,
    SpanEvent,
    SpanLink,
    SpanOrigin,
    SpanStatus,
)
from container_tracer.domain.model.trace_context import SpanContext
from container_tracer.fakes.agent_span import agent_bincode, agent_json

VECTORS = json.loads((Path(__file__).parents[4] / "data/kata/span.json").read_text())
JSON = VECTORS["json"].encode()
BINCODE = bytes.fromhex(VECTORS["bincode_hex"])
INT64 = range(-(1 << 63), 1 << 63)

often = settings(deadline=None, derandomize=True, max_examples=60)

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
COUNTS = st.integers(0, (1 << 32) - 1)
TIMES = st.integers(0, (1 << 63) - 1)
INTEGERS = st.integers(-(1 << 63), (1 << 63) - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = [st.booleans(), INTEGERS, FLOATS, TEXTS]
VALUES = st.one_of(*SCALARS, *(st.lists(one, max_size=3).map(tuple) for one in SCALARS))
MAPS = st.dictionaries(TEXTS, VALUES, max_size=3)
SPAN_IDS = st.binary(min_size=8, max_size=8).filter(any)
TRACE_IDS = st.binary(min_size=16, max_size=16).filter(any)
EVENTS = st.builds(
    SpanEvent, name=TEXTS, time_ns=TIMES, attributes=MAPS, dropped_attributes=st.integers(0, 9)
)
LINKS = st.builds(
    SpanLink,
    context=st.builds(SpanContext, trace_id=TRACE_IDS, span_id=SPAN_IDS, sampled=st.booleans()),
    attributes=MAPS,
)
SPANS = st.builds(
    SingleSpan,
    name=TEXTS,
    kind=st.sampled_from(SingleSpanKind),
    trace_id=TRACE_IDS,
    span_id=SPAN_IDS,
    parent_span_id=st.just(b"") | SPAN_IDS,
    trace_state=st.sampled_from(["", "k=v", "a=1,b@c=2 3"]),
    started_ns=TIMES,
    ended_ns=TIMES,
    attributes=MAPS,
    events=st.lists(EVENTS, max_size=2).map(tuple),
    links=st.lists(LINKS, max_size=2).map(tuple),
    status=st.sampled_from(SpanStatus),
    status_message=TEXTS,
    dropped_attributes=COUNTS,
    dropped_events=COUNTS,
    dropped_links=COUNTS,
).map(lambda span: span if span.ended_ns >= span.started_ns else _turned(span))
SENT = st.builds(AgentSpan, span=SPANS, resource=MAPS)


def _turned(span: SingleSpan) -> SingleSpan:
    return evolve(span, started_ns=span.ended_ns, ended_ns=span.started_ns)


@pytest.mark.parametrize("encode", [agent_json, agent_bincode])
def test_what_an_agent_sends_is_read_exactly(encode: Callable[[AgentSpan], bytes]) -> None:
    @given(SENT)
    @often
    def exact(span: AgentSpan) -> None:
        read = read_agent_span(encode(span))
        assert read == span
        assert _types(read.span.attributes) == _types(span.span.attributes)

    exact()


def _types(attributes: AttributeMap) -> dict[str, type]:
    return {name: type(value) for name, value in attributes.items()}


@given(st.binary(max_size=400), st.sampled_from([b"", b"{", b'{"span_context":', BINCODE[:60]]))
@often
def test_any_bytes_are_a_span_or_malformed(data: bytes, begin: bytes) -> None:
    survives(begin + data)


MUTATIONS = st.lists(
    st.tuples(
        st.sampled_from(["set", "cut", "insert", "double"]),
        st.integers(0, 2000),
        st.binary(min_size=1, max_size=9),
    ),
    min_size=1,
    max_size=4,
)


@given(st.sampled_from([JSON, BINCODE]), MUTATIONS)
@settings(deadline=None, derandomize=True, max_examples=800)
def test_a_frame_with_faults_is_a_span_or_malformed(
    payload: bytes, mutations: list[tuple[str, int, bytes]]
) -> None:
    for what, place, data in mutations:
        here = place % max(1, len(payload))
        match what:
            case "set":
                payload = payload[:here] + data + payload[here + len(data) :]
            case "cut":
                payload = payload[:here] + payload[here + len(data) :]
            case "insert":
                payload = payload[:here] + data + payload[here:]
            case _:
                payload = payload[:here] + payload[here // 2 :]
    survives(payload)


@given(
    st.lists(st.sampled_from([b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"1", b" "])),
    st.integers(LARGE_CHARACTERS, 2 * LARGE_CHARACTERS),
)
@often
def test_a_large_frame_of_any_structure_is_malformed(parts: list[bytes], size: int) -> None:
    part = b"".join(parts) or b"{"
    with pytest.raises(MalformedAgentSpan):
        read_agent_span(b"{" + part * (size // len(part)))


def survives(payload: bytes) -> None:
    """Read it; what is a span has nothing in it that some exporter cannot write."""
    try:
        read = read_agent_span(payload)
    except MalformedAgentSpan as error:
        str(error).encode()
        return
    for dumps in (False, True):
        span = GuestTexts(dumps=dumps).exported(read.span, SpanOrigin(attributes={}))
        assert any(span.trace_id)
        assert any(span.span_id)
        assert 0 <= span.started_ns <= span.ended_ns < 1 << 63
        items: list[SpanEvent | SpanLink] = [*span.events, *span.links]
        every = [span.attributes, *(one.attributes for one in items)]
        for attributes in every:
            for name, value in attributes.items():
                name.encode()
                assert all(map(can_be_written, value if isinstance(value, tuple) else (value,)))
        (span.name + span.status_message + "".join(one.name for one in span.events)).encode()


def can_be_written(value: AttributeValue) -> bool:
    if isinstance(value, str):
        return value.encode() is not None
    if isinstance(value, float):
        return math.isnan(value) or float(value) == value
    return value in INT64
