"""A tracer's own spans as lines of JSON."""

import json

from attrs import evolve

from container_tracer.domain.model.single_span import (
    SingleSpan,
    SingleSpanKind,
    SpanOrigin,
    SpanStatus,
)
from container_tracer.domain.model.single_span_text import single_span_line

ROOT = SingleSpan(
    name="GET /",
    kind=SingleSpanKind.SERVER,
    trace_id=bytes(15) + b"\x0a",
    span_id=bytes(7) + b"\x0b",
    started_ns=1_714_557_600_000_000_001,
    ended_ns=1_714_557_600_000_000_004,
)


def test_a_span_is_an_object_without_what_it_does_not_have() -> None:
    assert single_span_line(ROOT) == (
        '{"time":"2024-05-01T10:00:00.000000001Z","start_ns":1714557600000000001,"duration_ns":3,'
        '"name":"GET /","kind":"server","trace_id":"0000000000000000000000000000000a",'
        '"span_id":"000000000000000b","attributes":{}}'
    )


def test_text_that_is_no_unicode_becomes_visible() -> None:
    line = single_span_line(
        SingleSpan(
            name="a\udcff",
            trace_id=ROOT.trace_id,
            span_id=ROOT.span_id,
            parent_span_id=ROOT.span_id,
            started_ns=0,
            ended_ns=0,
            attributes={"path": "/\udcfe", "status": 500},
            status=SpanStatus.ERROR,
            status_message="\udcfd\n",
        )
    )
    assert line.isascii()
    found = json.loads(line)
    assert (found["name"], found["error"]) == (r"a\xff", "\\xfd\n")
    assert found["attributes"] == {"path": r"/\xfe", "status": 500}
    assert found["parent_span_id"] == ROOT.span_id.hex()


def test_tags_are_the_tracers_own_like_the_spans_they_are_in() -> None:
    tags = {"team": "core"}
    assert json.loads(single_span_line(ROOT, tags)) == {
        **json.loads(single_span_line(ROOT)),
        "tags": tags,
    }
    guests = evolve(ROOT, origin=SpanOrigin(attributes={"team": "of the guest"}))
    assert single_span_line(guests, tags) == single_span_line(guests)
