import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from container_tracer.domain.model.errnos import errno_name
from container_tracer.domain.model.quoting import viewer_string
from container_tracer.domain.model.span_text import (
    calls,
    container_label,
    json_lines,
    microseconds,
    task_names,
    trace_events,
    utc_times,
)
from container_tracer.domain.model.spans import SpanOutcome
from container_tracer.fakes.spans import (
    AWKWARD_SPANS,
    GETPID,
    LONE,
    NOON_NS,
    OPENAT,
    READ,
    SWITCH,
    WEB,
    FakeSpan,
    awkward_batch,
    span_batch,
)

MIDNIGHT_NS = NOON_NS - 12 * 3600 * 10**9


def readable(text: str) -> str:
    """What a reader gets of a text that may have bytes which were no UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def details(span: FakeSpan) -> dict[str, Any]:
    """The members that not every span has, as they are to be read back."""
    found: dict[str, Any] = {}
    if span.arguments is not None:
        pairs = zip(span.kind.arguments, span.arguments, strict=True)
        found["arguments"] = {one.name: one.render(bits) for one, bits in pairs}
    if span.result is not None:
        found["result"] = span.result
        if -4095 <= span.result < 0:
            found["error"] = errno_name(span.result)
    if span.outcome.incomplete:
        found["incomplete"] = span.outcome.explanation
    found["events"] = (span.arguments is not None) + (span.result is not None)
    return found


def line(span: FakeSpan) -> dict[str, Any]:
    seconds, nanoseconds = divmod(span.start_ns, 10**9)
    return {
        "time": f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z",
        "start_ns": span.start_ns,
        "duration_ns": span.duration_ns,
        "node": "worker-1",
        "namespace": span.container.namespace,
        "pod": span.container.pod,
        "container": span.container.name,
        "container_id": span.container.container_id,
        "pid": span.pid,
        "tid": span.tid,
        "command": readable(span.command),
        "name": span.kind.name,
        **details(span),
    }


def event(span: FakeSpan) -> dict[str, Any]:
    return {
        "ph": "X",
        "cat": span.kind.category,
        "name": span.kind.name,
        "ts": Decimal(span.start_ns - MIDNIGHT_NS) / 1000,
        "dur": Decimal(span.duration_ns) / 1000,
        "pid": span.pid,
        "tid": span.tid,
        "args": {
            "start_ns": span.start_ns,
            "container": container_label(span.container),
            "command": json.loads(viewer_string(span.command)),
            **details(span),
        },
    }


def read(texts: list[str]) -> list[dict[str, Any]]:
    return [json.loads(text, parse_float=Decimal) for text in texts]


def a_call(kind: Any, outcomes: st.SearchStrategy[SpanOutcome]) -> st.SearchStrategy[FakeSpan]:
    bits = st.integers(0, 2**64 - 1)
    arguments = st.tuples(*(bits for _ in kind.arguments))
    return st.builds(
        FakeSpan,
        kind=st.just(kind),
        arguments=st.none() | arguments,
        result=st.none() | st.integers(-5000, 10) | st.integers(-(2**63), 2**63 - 1),
        outcome=outcomes,
        start_ns=st.integers(0, 2**62),
        duration_ns=st.integers(0, 2**61),
        pid=st.integers(0, 2**31 - 1),
        tid=st.integers(0, 2**31 - 1),
        command=st.binary(max_size=15).map(lambda data: data.decode("utf-8", "surrogateescape")),
        container=st.sampled_from([WEB, LONE]),
    )


batches_of_spans = st.lists(
    st.sampled_from([READ, OPENAT, GETPID, SWITCH]).flatmap(
        lambda kind: a_call(kind, st.sampled_from(SpanOutcome))
    ),
    max_size=12,
)


@given(batches_of_spans)
def test_every_batch_can_be_read_back_from_json_lines(spans: list[FakeSpan]) -> None:
    texts = json_lines(span_batch(*spans), node="worker-1")
    assert read(texts) == [line(span) for span in spans]
    assert all("\n" not in text and text.isascii() for text in texts)


@given(batches_of_spans)
def test_every_batch_can_be_read_back_from_trace_events(spans: list[FakeSpan]) -> None:
    texts = trace_events(span_batch(*spans), origin_ns=MIDNIGHT_NS)
    assert read(texts) == [event(span) for span in spans]


def test_awkward_spans_can_be_read_back() -> None:
    batch = awkward_batch()
    assert read(json_lines(batch, node="worker-1")) == [line(span) for span in AWKWARD_SPANS]
    assert read(trace_events(batch, origin_ns=MIDNIGHT_NS)) == [event(s) for s in AWKWARD_SPANS]


def test_a_line_has_its_keys_in_the_order_documented() -> None:
    (text,) = json_lines(span_batch(FakeSpan(result=-2, kind=GETPID, arguments=())), node="n")
    assert " ".join(json.loads(text)) == (
        "time start_ns duration_ns node namespace pod container container_id pid tid"
        " command name arguments result error events"
    )


def test_an_empty_batch_is_no_text() -> None:
    batch = span_batch()
    assert json_lines(batch) == trace_events(batch) == calls(batch) == []
    assert task_names(batch, set()) == {}


def test_viewers_reading_doubles_get_times_exact_to_the_nanosecond() -> None:
    spans = [FakeSpan(start_ns=NOON_NS + ns, duration_ns=1) for ns in range(1000)]
    events = [json.loads(text) for text in trace_events(span_batch(*spans), origin_ns=MIDNIGHT_NS)]
    assert [MIDNIGHT_NS + round(one["ts"] * 1000) for one in events] == [s.start_ns for s in spans]


@given(st.lists(st.integers(-(2**62), 2**62)))
def test_microseconds_lose_nothing(times: list[int]) -> None:
    texts = microseconds(np.array(times, np.int64))
    assert [Decimal(text) * 1000 for text in texts] == times
    assert all(len(text.partition(".")[2]) == 3 for text in texts)


def test_times_are_rfc_3339_in_utc_with_nanoseconds() -> None:
    times = np.array([0, NOON_NS + 1, 4_102_444_799_999_999_999])
    assert utc_times(times) == [
        "1970-01-01T00:00:00.000000000Z",
        "2024-05-01T12:00:00.000000001Z",
        "2099-12-31T23:59:59.999999999Z",
    ]


def test_tasks_are_named_once() -> None:
    spans = (
        FakeSpan(pid=5, tid=6, command="worker"),
        FakeSpan(pid=5, tid=6, command="worker"),
        FakeSpan(pid=5, tid=5, command="main"),
        FakeSpan(pid=7, tid=7, command="sh", container=LONE),
    )
    names = task_names(span_batch(*spans), set())
    assert [
        (one["name"], one["pid"], one["tid"], one["args"]) for one in read([*names.values()])
    ] == [
        ("process_name", 5, 5, {"name": "shop/web-0 nginx: worker"}),
        ("thread_name", 5, 6, {"name": "worker"}),
        ("thread_name", 5, 5, {"name": "main"}),
        ("process_name", 7, 7, {"name": "builder: sh"}),
        ("thread_name", 7, 7, {"name": "sh"}),
    ]
    assert task_names(span_batch(*spans), names.keys()) == {}


def test_a_new_thread_of_a_named_process_is_named_alone() -> None:
    known = task_names(span_batch(FakeSpan(pid=5, tid=5)), set()).keys()
    assert list(task_names(span_batch(FakeSpan(pid=5, tid=9)), known)) == [(5, 9)]


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (FakeSpan(), "read(fd=3, buf=0x7ffe00001000, count=4096)"),
        (
            FakeSpan(kind=OPENAT, arguments=(2**64 - 100, 1)),
            "openat(dfd=-100, flags=O_WRONLY|O_CREAT)",
        ),
        (FakeSpan(kind=GETPID, arguments=()), "getpid()"),
        (FakeSpan(arguments=None, outcome=SpanOutcome.BEGAN_BEFORE), "read(?)"),
    ],
)
def test_people_read_calls_as_they_write_them(span: FakeSpan, text: str) -> None:
    assert calls(span_batch(span)) == [text]


def test_what_the_monitor_of_a_virtual_machine_did_says_so() -> None:
    kata = evolve(WEB, isolated=True)
    (line,) = json_lines(span_batch(FakeSpan(container=kata)))
    (plain,) = json_lines(span_batch(FakeSpan()))
    assert json.loads(line) == {**json.loads(plain), "vmm": True}
    assert "vmm" not in json.loads(plain)
    assert container_label(kata) == "shop/web-0 nginx (VMM)"
    assert container_label(evolve(LONE, isolated=True)) == "builder (VMM)"


def test_tags_are_in_every_line_and_every_event() -> None:
    tags = {"team": "Köln", 'odd"': "\\"}
    batch = awkward_batch()
    for text, plain in zip(json_lines(batch, tags=tags), json_lines(batch), strict=True):
        assert json.loads(text) == {**json.loads(plain), "tags": tags}
        assert text.isascii()
    for text, plain in zip(trace_events(batch, tags=tags), trace_events(batch), strict=True):
        tagged, event = json.loads(text), json.loads(plain)
        assert tagged == {**event, "args": {**event["args"], "tags": tags}}
