"""A sample of a span has a size that is known, and holds nothing that cannot be printed."""

from collections.abc import Sequence

import pytest

from container_tracer.domain.model.single_span import (
    AttributeMap,
    AttributeValue,
    SingleSpan,
    SpanEvent,
)
from container_tracer.domain.model.span_samples import (
    SAMPLE_CHARACTERS,
    SAMPLE_EVENTS,
    SPACING_NS,
    TEXT_CHARACTERS,
    SampleEvent,
    Samples,
    sample_of,
)


def span(
    name: str = "a",
    attributes: AttributeMap | None = None,
    *,
    events: Sequence[SpanEvent] = (),
    ended_ns: int = 30,
) -> SingleSpan:
    return SingleSpan(
        name=name,
        trace_id=b"\1" * 16,
        span_id=b"\2" * 8,
        started_ns=10,
        ended_ns=ended_ns,
        attributes=attributes or {},
        events=events,
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, True),
        (-7, -7),
        (1.5, 1.5),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        ("x" * TEXT_CHARACTERS, "x" * TEXT_CHARACTERS),
        ("x" * (TEXT_CHARACTERS + 1), "x" * (TEXT_CHARACTERS - 3) + "..."),
        ("\n" * 10**6, "\\n" * ((TEXT_CHARACTERS - 3) // 2) + "\\..."),
        ("a\0\x1b\u202e\udcff", "a\\x00\\x1b\\u202e\\xff"),
        ((1, 2), "1, 2"),
        (("a\n",), "a\\n"),
        ((), ""),
    ],
)
def test_values_are_such_as_json_and_people_can_read(value: AttributeValue, shown: object) -> None:
    assert sample_of(span(attributes={"k": value})).attributes == (("k", shown),)


def test_what_there_is_no_room_for_is_counted() -> None:
    attributes = {f"k{number}": "x" * 1000 for number in range(50)}
    events = [SpanEvent(name="e", time_ns=12, attributes={"k": 1})]
    sample = sample_of(span("n" * 1000, attributes, events=events))
    assert 0 < len(sample.attributes) < 50
    assert len(sample.attributes) + sample.left_out == 51
    texts = [text for pair in sample.attributes for text in pair if isinstance(text, str)]
    assert sum(map(len, texts)) <= SAMPLE_CHARACTERS + 2 * TEXT_CHARACTERS


def test_events_are_shown_by_how_long_after_the_start_they_were() -> None:
    events = [SpanEvent(name="e", time_ns=10 + n, attributes={"k": n}) for n in range(20)]
    sample = sample_of(span(events=events))
    assert sample.events[3] == SampleEvent(name="e", after_ns=3, attributes=(("k", 3),))
    assert (len(sample.events), sample.left_out) == (SAMPLE_EVENTS, 20 - SAMPLE_EVENTS)


def test_the_newest_is_kept_and_before_it_those_that_are_a_second_apart() -> None:
    kept = Samples(3)
    for number in range(101):
        ended_ns = number * SPACING_NS // 10
        kept.add(span(ended_ns=ended_ns))
    ends = [(10 + one.duration_ns) * 10 // SPACING_NS for one in kept.newest_first()]
    assert ends == [100, 99, 89]


def test_a_clock_that_is_set_back_does_not_keep_the_newest_out() -> None:
    kept = Samples(3)
    for ended_ns in (10 * SPACING_NS, 5 * SPACING_NS, 6 * SPACING_NS):
        kept.add(span(ended_ns=ended_ns))
    assert [10 + one.duration_ns for one in kept.newest_first()] == [6 * SPACING_NS]
