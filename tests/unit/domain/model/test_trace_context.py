"""Which span sent a request is read from its headers; what cannot be read is as good as none."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_tracer.domain.model.trace_context import (
    HeaderValues,
    SpanContext,
    read_span_context,
)

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
HERE = SpanContext(trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(SPAN))
ELSEWHERE = SpanContext(trace_id=bytes(15) + b"\1", span_id=bytes(7) + b"\2")

spans = st.builds(
    SpanContext,
    trace_id=st.binary(min_size=16, max_size=16).filter(any),
    span_id=st.binary(min_size=8, max_size=8).filter(any),
    sampled=st.booleans(),
)


def sent(headers: Mapping[str, str | list[str]]) -> HeaderValues:
    """Look headers up as HTTP does: their names in any case, their values in order."""
    known = {
        name.lower(): [value] if isinstance(value, str) else value
        for name, value in headers.items()
    }
    return lambda name: known.get(name.lower(), [])


def read(**headers: str | list[str]) -> SpanContext | None:
    return read_span_context(
        sent({name.replace("_", "-"): value for name, value in headers.items()})
    )


def test_without_headers_there_is_no_context() -> None:
    assert read() is None


@pytest.mark.parametrize(
    ("value", "sampled"),
    [
        (PARENT, True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"00-{TRACE}-{SPAN}-ff", True),
        (f"00-{TRACE}-{SPAN}-fe", False),
        (f" {PARENT}\t", True),
        # Of later versions so much is read as is known.
        (f"cc-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", True),
        (f"cc-{TRACE}-{SPAN}-01-", True),
    ],
)
def test_a_traceparent_names_trace_span_and_whether_it_is_kept(value: str, sampled: bool) -> None:
    found = read(traceparent=value)
    assert found is not None
    assert (found.trace_id.hex(), found.span_id.hex(), found.sampled) == (TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "00",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}0-01",
        f"00-{TRACE}-{SPAN}-1",
        f"0-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE[:-1]}\u0664-{SPAN}-01",
    ],
)
def test_a_traceparent_that_is_none_is_ignored(value: str) -> None:
    assert read(traceparent=value, tracestate="a=1") is None


def test_two_traceparents_are_none() -> None:
    assert read(traceparent=[PARENT, PARENT]) is None


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ("congo=t61rcWkgMzE", "congo=t61rcWkgMzE"),
        (["rojo=00f067aa0ba902b7", "congo=t61rcWkgMzE"], "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        (" a=1 ,\t, b=2 , ", "a=1,b=2"),
        ("fw529a3039@dt=FfffffeC", "fw529a3039@dt=FfffffeC"),
        ("", ""),
        ("a=1,a=2", ""),
        ("a=1,b", ""),
        ("A=1", ""),
        ("a=1=2", ""),
        ("a=\u00e9", ""),
        (",".join(f"k{n}=1" for n in range(33)), ""),
        (",".join(f"k{n}={'v' * 200}" for n in range(3)), ""),
    ],
)
def test_a_tracestate_is_passed_on_as_a_whole_or_not_at_all(
    values: str | list[str], state: str
) -> None:
    found = read(traceparent=PARENT, tracestate=values)
    assert found is not None
    assert found.trace_state == state


def test_a_tracestate_alone_is_nothing() -> None:
    assert read(tracestate="a=1") is None


@pytest.mark.parametrize(
    ("value", "trace", "sampled"),
    [
        (f"{TRACE}-{SPAN}-1-05e3ac9a4f6e3b90", TRACE, True),
        (f"{TRACE}-{SPAN}-1", TRACE, True),
        (f"{TRACE}-{SPAN}-d", TRACE, True),
        (f"{TRACE}-{SPAN}-0", TRACE, False),
        (f"{TRACE}-{SPAN}", TRACE, True),
        (f"{TRACE.upper()}-{SPAN.upper()}-1", TRACE, True),
        (f"{SPAN}-{SPAN}-1", SPAN.rjust(32, "0"), True),
    ],
)
def test_b3_may_be_one_header(value: str, trace: str, sampled: bool) -> None:
    found = read(b3=value)
    assert found is not None
    assert (found.trace_id.hex(), found.span_id.hex(), found.sampled) == (trace, SPAN, sampled)


@pytest.mark.parametrize(
    "value",
    [
        "0",
        "1",
        "d",
        "",
        "-",
        f"{TRACE}0-{SPAN}",
        f"{TRACE}-{SPAN}0",
        f"{TRACE}-{SPAN}-x",
        f"{TRACE}-{SPAN}-1-x",
        f"{TRACE}-{SPAN}-1-1-1",
        f"{'0' * 32}-{SPAN}-1",
        f"+1-{SPAN}-1",
        f"1_0-{SPAN}-1",
    ],
)
def test_a_decision_without_ids_and_what_is_no_b3_are_ignored(value: str) -> None:
    assert read(b3=value) is None


@pytest.mark.parametrize(
    ("decision", "sampled"),
    [
        ({"X_B3_Sampled": "1"}, True),
        ({"X_B3_Sampled": "true"}, True),
        ({"X_B3_Sampled": "0"}, False),
        ({"X_B3_Sampled": "False"}, False),
        ({"X_B3_Flags": "1"}, True),
        ({"X_B3_Flags": "1", "X_B3_Sampled": "0"}, True),
        ({"X_B3_Flags": "0", "X_B3_Sampled": "0"}, False),
        ({"X_B3_ParentSpanId": "nonsense"}, True),
        ({}, True),
    ],
)
def test_b3_may_be_several_headers(decision: dict[str, str], sampled: bool) -> None:
    found = read(X_B3_TraceId=TRACE.upper(), X_B3_SpanId=SPAN, **decision)
    assert found is not None
    assert (found.trace_id.hex(), found.span_id.hex(), found.sampled) == (TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    ("trace", "span"),
    [
        (TRACE, ""),
        ("", SPAN),
        (TRACE, "0"),
        ("0", SPAN),
        (f"1{TRACE}", SPAN),
        (TRACE, f"1{SPAN}"),
        (f"0x{SPAN}", SPAN),
        (TRACE, "\u0661" * 16),
    ],
)
def test_several_headers_without_two_ids_are_ignored(trace: str, span: str) -> None:
    assert read(X_B3_TraceId=trace, X_B3_SpanId=span) is None


def test_the_form_of_w3c_counts_before_b3_and_one_header_before_several() -> None:
    other = {"X_B3_TraceId": "1", "X_B3_SpanId": "2"}
    assert read(traceparent=PARENT, b3="1-2-1", **other) == HERE
    assert read(b3=f"{TRACE}-{SPAN}-1", **other) == HERE
    assert read(traceparent="broken", b3="broken", **other) == ELSEWHERE


@given(spans)
def test_what_is_written_is_read_again_from_each_form_alone(context: SpanContext) -> None:
    headers = context.headers
    several = {name: value for name, value in headers.items() if name.startswith("X-B3-")}
    for form in (headers, {"traceparent": headers["traceparent"]}, {"b3": headers["b3"]}, several):
        assert read_span_context(sent(form)) == context


def test_what_other_systems_want_passed_on_is_written_too() -> None:
    found = read(traceparent=PARENT, tracestate="a=1")
    assert found is not None
    assert found.headers["tracestate"] == "a=1"


@given(st.dictionaries(st.sampled_from(["traceparent", "tracestate", *HERE.headers]), st.text()))
def test_no_header_is_an_error(headers: dict[str, str]) -> None:
    found = read_span_context(sent(headers))
    assert found is None or (any(found.trace_id) and any(found.span_id))


@pytest.mark.parametrize(("trace", "span"), [(16, 0), (0, 8), (15, 8), (16, 9)])
def test_a_context_has_two_ids(trace: int, span: int) -> None:
    with pytest.raises(ValueError, match="_id is no id of"):
        SpanContext(trace_id=b"\1" * trace, span_id=b"\1" * span)


def test_what_nobody_keeps_is_no_parent() -> None:
    dropped = SpanContext(trace_id=HERE.trace_id, span_id=HERE.span_id, sampled=False)
    assert (HERE.parent_id, dropped.parent_id) == (HERE.span_id, b"")
