"""A span that is too large is cut until it fits, and says what was left out."""

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from container_tracer.domain.model.single_span import SingleSpan, SpanEvent, SpanLink
from container_tracer.domain.model.single_span_size import (
    attributes_cut_to,
    cut_to,
    size_of,
    size_of_attributes,
)
from container_tracer.domain.model.trace_context import SpanContext

SPAN = SingleSpan(
    name="open", trace_id=b"\1" * 16, span_id=b"\2" * 8, started_ns=1, ended_ns=2, attributes={}
)
LINKED = SpanContext(trace_id=b"\3" * 16, span_id=b"\4" * 8)


def test_what_fits_stays_as_it_is() -> None:
    span = evolve(SPAN, attributes={"path": "/" * 1_000_000})
    assert cut_to(span, 2_000_000) is span


def test_long_texts_are_cut_first_and_visibly() -> None:
    span = evolve(
        SPAN, attributes={"path": "x" * 1_000_000, "argv": ("y" * 5_000, "z"), "n": 7, "on": True}
    )
    assert cut_to(span, 20_000).attributes == {
        "path": "x" * 4_095 + "…",
        "argv": ("y" * 4_095 + "…", "z"),
        "n": 7,
        "on": True,
    }


def test_what_does_not_fit_even_so_is_left_out_and_counted() -> None:
    events = tuple(SpanEvent(name="e", time_ns=one) for one in range(900))
    span = evolve(
        SPAN,
        attributes={f"a{number}": number for number in range(100)},
        events=events,
        links=(SpanLink(context=LINKED),) * 5,
        dropped_attributes=1,
        dropped_events=1,
        dropped_links=1,
    )
    cut = cut_to(span, 9_000)
    assert (cut.attributes, cut.dropped_attributes) == (span.attributes, 1)
    assert cut.events == events[: len(cut.events)]
    assert 10 < len(cut.events) == 900 + 1 - cut.dropped_events
    assert len(cut.links) == 5 + 1 - cut.dropped_links


def test_attributes_of_a_resource_are_cut_alike() -> None:
    attributes = {"service.name": "kata", "text": "x" * 9_000, "other": "y" * 9_000}
    assert attributes_cut_to(attributes, 20_000) == (attributes, 0)
    cut, left_out = attributes_cut_to(attributes, 9_000)
    assert ([*cut], left_out, size_of_attributes(cut) <= 9_000) == ([*attributes], 0, True)
    assert attributes_cut_to(dict.fromkeys(map(str, range(99)), 1), 650)[1] == 99 - 10


texts = st.text(max_size=9) | st.sampled_from(["x" * 9_999, "ä" * 700, "\udcff" * 300])
values = texts | st.integers() | st.floats() | st.booleans() | st.lists(texts).map(tuple)
maps = st.dictionaries(texts, values, max_size=6)
spans = st.builds(
    evolve,
    st.just(SPAN),
    name=texts,
    status_message=texts,
    trace_state=texts,
    attributes=maps,
    events=st.lists(st.builds(SpanEvent, name=texts, time_ns=st.just(1), attributes=maps)),
    links=st.lists(st.builds(SpanLink, context=st.just(LINKED), attributes=maps)),
)


@settings(max_examples=60, deadline=None)
@given(span=spans, max_bytes=st.integers(1_000, 30_000))
def test_whatever_there_is_it_fits_afterwards(span: SingleSpan, max_bytes: int) -> None:
    cut = cut_to(span, max_bytes)
    assert size_of(cut) <= max_bytes
    assert len(cut.attributes) + cut.dropped_attributes == len(span.attributes)
    assert len(cut.events) + cut.dropped_events == len(span.events)
    assert len(cut.links) + cut.dropped_links == len(span.links)
