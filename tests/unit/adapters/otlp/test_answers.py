"""What collectors answer is read as the official messages mean it, and never trusted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from container_tracer.adapters.otlp.answers import (
    MAX_QUOTED,
    FailureStatus,
    PartialSuccess,
    UnreadableAnswer,
    quoted,
    read_status,
    read_success,
)


@given(spans=st.integers(-(2**63), 2**63 - 1), message=st.text(max_size=50))
def test_a_partial_success_is_read(spans: int, message: str) -> None:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = spans
    answer.partial_success.error_message = message
    assert read_success(answer.SerializeToString()) == PartialSuccess(spans, message)


def test_a_whole_success_says_nothing() -> None:
    assert read_success(b"") == PartialSuccess()


def test_unknown_fields_are_passed_over() -> None:
    unknown = b"\x10\x05" + b"\x19" + bytes(8) + b"\x25" + bytes(4) + b"\x32\x02hi"
    assert read_success(unknown + b"\x0a\x02\x08\x03") == PartialSuccess(3)


def status(*details: bytes, message: str = "full") -> bytes:
    """Encode a google.rpc.Status; every length fits into a byte."""
    text = message.encode()
    head = b"\x08\x08\x12" + bytes([len(text)]) + text
    return head + b"".join(b"\x1a" + bytes([len(one)]) + one for one in details)


def detail(name: bytes, value: bytes) -> bytes:
    url = b"type.googleapis.com/google.rpc." + name
    return b"\x0a" + bytes([len(url)]) + url + b"\x12" + bytes([len(value)]) + value


def test_a_status_says_why_and_when_to_come_back() -> None:
    half_past_two = detail(b"RetryInfo", b"\x0a\x08\x08\x02\x10\x80\xca\xb5\xee\x01")
    other = detail(b"DebugInfo", b"\x0a\x02hi")
    assert read_status(status(other, half_past_two)) == FailureStatus("full", True, 2.5)
    assert read_status(status(other)) == FailureStatus("full")
    assert read_status(b"") == FailureStatus()


def test_who_invites_without_a_time_is_retried_at_our_own_pace() -> None:
    assert read_status(status(detail(b"RetryInfo", b""))) == FailureStatus("full", True, 0.0)


def test_a_time_that_is_past_is_none() -> None:
    long_ago = b"\x0a\x0b\x08" + b"\xff" * 9 + b"\x01"
    assert read_status(status(detail(b"RetryInfo", long_ago))).retry_seconds == 0


@pytest.mark.parametrize(
    "data", [b"\xff", b"\x0a\x05hi", b"\x0b", b"\x00\x01", b"\x08" + b"\xff" * 10, b"\x19\x01"]
)
def test_what_is_no_message_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        read_success(data)


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_unreadable(data: bytes) -> None:
    for read in (read_success, read_status):
        try:
            read(data)
        except UnreadableAnswer:
            continue


@given(st.text(max_size=1_000))
def test_what_others_say_is_one_short_line_of_visible_characters(text: str) -> None:
    line = quoted(text)
    assert line.isprintable()
    assert len(line) <= MAX_QUOTED + 1
