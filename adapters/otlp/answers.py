"""What collectors answer: three small protobuf messages, read without generated code.

Numbers and types of fields are those of `opentelemetry/proto/collector/trace/v1` (version 1),
`google/rpc/status.proto` and `google/rpc/error_details.proto`. Unknown fields are passed over.
"""

from collections.abc import Iterator
from typing import TypeAlias

from attrs import frozen

from ...domain.model.quoting import printable

MAX_QUOTED = 300
"""So much of what a collector says is told, in characters."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SKIPPED = {_FIXED64: 8, _FIXED32: 4}
_MAX_VARINT_BYTES = 10
_RETRY_INFO = b"type.googleapis.com/google.rpc.RetryInfo"

Value: TypeAlias = int | bytes


class UnreadableAnswer(ValueError):
    """These bytes are not the message they should be."""


@frozen
class PartialSuccess:
    """How many spans a collector rejected of those it was sent, and what it says about it."""

    rejected_spans: int = 0
    message: str = ""


@frozen
class FailureStatus:
    """Why a collector refused a request; `retry_seconds` is 0 if it did not say when to retry.

    `may_retry` tells that it invites to.
    """

    message: str = ""
    may_retry: bool = False
    retry_seconds: float = 0.0


def read_success(data: bytes) -> PartialSuccess:
    """Read an ExportTraceServiceResponse; raise `UnreadableAnswer`."""
    found = PartialSuccess()
    for number, value in _fields(data):
        if number == 1 and isinstance(value, bytes):
            inner = dict(_fields(value))
            found = PartialSuccess(_signed(inner.get(1, 0)), _text(inner.get(2, b"")))
    return found


def read_status(data: bytes) -> FailureStatus:
    """Read a google.rpc.Status, with the RetryInfo among its details; raise `UnreadableAnswer`."""
    message, may_retry, seconds = "", False, 0.0
    for number, value in _fields(data):
        if number == 2:  # noqa: PLR2004 - message
            message = _text(value)
        elif number == 3 and isinstance(value, bytes):  # noqa: PLR2004 - details
            detail = dict(_fields(value))
            if detail.get(1) == _RETRY_INFO:
                may_retry, seconds = True, _retry_delay(detail.get(2, b""))
    return FailureStatus(message, may_retry, seconds)


def quoted(text: str) -> str:
    """Make what somebody else wrote fit to be shown: one line, and not long."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= MAX_QUOTED else f"{line[:MAX_QUOTED]}…"


def _retry_delay(info: Value) -> float:
    """Read the Duration in a RetryInfo, in seconds, never below 0."""
    if not isinstance(info, bytes):
        return 0.0
    delay = dict(_fields(info)).get(1, b"")
    duration = dict(_fields(delay)) if isinstance(delay, bytes) else {}
    return max(0.0, _signed(duration.get(1, 0)) + _signed(duration.get(2, 0)) / 1e9)


def _fields(data: bytes) -> Iterator[tuple[int, Value]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        value: Value
        if wire_type == _VARINT:
            value, at = _varint(data, at)
        else:
            if wire_type == _BYTES:
                length, at = _varint(data, at)
            elif wire_type in _SKIPPED:
                length = _SKIPPED[wire_type]
            else:
                raise UnreadableAnswer(f"a field has the wire type {wire_type}")
            value, at = data[at : at + length], at + length
        if at > len(data) or not number:
            raise UnreadableAnswer("a field is cut off, or has the number 0")
        yield number, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for length, byte in enumerate(data[at : at + _MAX_VARINT_BYTES], start=1):
        value |= (byte & 0x7F) << 7 * (length - 1)
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a varint has no top bit
            return value & (1 << 64) - 1, at + length
    raise UnreadableAnswer("a number is cut off, or too long")


def _signed(value: Value) -> int:
    if isinstance(value, bytes):
        return 0
    return value - (1 << 64) if value >= 1 << 63 else value


def _text(value: Value) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else ""


def rejection(address: str, answer: PartialSuccess) -> str:
    """Say that a collector rejected spans, in its words if it has any."""
    said = f": {quoted(answer.message)}" if answer.message else ""
    return f"otlp: {address} rejected spans{said}"
