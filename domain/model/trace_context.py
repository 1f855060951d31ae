"""Trace context: which span of a trace a request was sent by, as its headers say.

Two forms are read and written: W3C Trace Context (https://www.w3.org/TR/trace-context/) and B3
(https://github.com/openzipkin/b3-propagation), as one header or as several. The first form counts
that can be read, in this order: `traceparent`, `b3`, `X-B3-…`. One that cannot be read is as good
as none: what is wrong with a trace is no reason to refuse a request.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from attrs import field, frozen

HeaderValues: TypeAlias = Callable[[str], Sequence[str]]
"""Returns the values of a header, whatever case its name is in; none is no header."""

MAX_STATE_MEMBERS = 32
MAX_STATE_CHARACTERS = 512
"""What is longer is not passed on; the specification asks for no more."""

_TRACE_BYTES, _SPAN_BYTES = 16, 8
_SAMPLED_FLAG = 1
_INVALID_VERSION = "ff"
_FIRST_VERSION = "00"

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_STATE_KEY = r"[a-z0-9][a-z0-9_*/@-]{0,255}"
_STATE_VALUE = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_STATE_MEMBER = re.compile(rf"({_STATE_KEY})=({_STATE_VALUE})")

# Zipkin's ids have 16 or 32 digits; senders are about that leave out zeros in front.
_B3_TRACE_ID = re.compile(r"[0-9a-fA-F]{1,32}")
_B3_SPAN_ID = re.compile(r"[0-9a-fA-F]{1,16}")
_B3_SINGLE = re.compile(r"([^-]+)-([^-]+)(?:-([01dD])(?:-[0-9a-fA-F]{1,16})?)?")
_B3_NOT_SAMPLED = frozenset({"0", "false"})
_B3_DEBUG = "1"


def _is_id(length: int) -> Callable[[object, object, bytes], None]:
    def check(_instance: object, attribute: object, value: bytes) -> None:
        if len(value) != length or not any(value):
            raise ValueError(f"{getattr(attribute, 'name', 'id')} is no id of {length} bytes")

    return check


@frozen(kw_only=True)
class SpanContext:
    """A span elsewhere, and the trace it is in: 8 and 16 bytes, not all of them 0.

    `sampled` is whether anybody keeps that span. `trace_state` is what other systems want to be
    passed on, in the form of W3C's `tracestate`.
    """

    trace_id: bytes = field(validator=_is_id(_TRACE_BYTES))
    span_id: bytes = field(validator=_is_id(_SPAN_BYTES))
    sampled: bool = True
    trace_state: str = ""

    @property
    def parent_id(self) -> bytes:
        """Return the parent of spans that follow: empty if nobody keeps it, so they are roots."""
        return self.span_id if self.sampled else b""

    @property
    def headers(self) -> Mapping[str, str]:
        """Write all forms, so that whoever gets a request can read one of them."""
        trace, span = self.trace_id.hex(), self.span_id.hex()
        sampled = "1" if self.sampled else "0"
        state = {"tracestate": self.trace_state} if self.trace_state else {}
        return {
            "traceparent": f"{_FIRST_VERSION}-{trace}-{span}-0{sampled}",
            **state,
            "b3": f"{trace}-{span}-{sampled}",
            "X-B3-TraceId": trace,
            "X-B3-SpanId": span,
            "X-B3-Sampled": sampled,
        }


def read_span_context(values_of: HeaderValues) -> SpanContext | None:
    """Read the headers of a request; None if they name no span."""
    return _w3c(values_of) or _b3_single(values_of) or _b3_multiple(values_of)


def _w3c(values_of: HeaderValues) -> SpanContext | None:
    found = _TRACEPARENT.fullmatch(_only(values_of("traceparent")))
    if found is None:
        return None
    version, trace, span, flags, rest = found.groups()
    if version == _INVALID_VERSION or (version == _FIRST_VERSION and rest):
        return None
    sampled = bool(int(flags, 16) & _SAMPLED_FLAG)
    return _context(trace, span, sampled=sampled, state=read_trace_state(values_of("tracestate")))


def _b3_single(values_of: HeaderValues) -> SpanContext | None:
    found = _B3_SINGLE.fullmatch(_only(values_of("b3")))
    if found is None:
        return None
    trace, span, sampled = found.groups()
    return _context(trace, span, sampled=sampled != "0")


def _b3_multiple(values_of: HeaderValues) -> SpanContext | None:
    """Read `X-B3-…`. Who sends no decision leaves it to us, and we keep what we are asked for."""
    debug = _only(values_of("X-B3-Flags")) == _B3_DEBUG
    refused = _only(values_of("X-B3-Sampled")).lower() in _B3_NOT_SAMPLED
    trace, span = _only(values_of("X-B3-TraceId")), _only(values_of("X-B3-SpanId"))
    return _context(trace, span, sampled=debug or not refused)


def _context(trace: str, span: str, *, sampled: bool, state: str = "") -> SpanContext | None:
    """Make a context of ids in hexadecimal, unless one of them is no id."""
    if not (_B3_TRACE_ID.fullmatch(trace) and _B3_SPAN_ID.fullmatch(span)):
        return None
    trace_id, span_id = int(trace, 16), int(span, 16)
    if not (trace_id and span_id):
        return None
    return SpanContext(
        trace_id=trace_id.to_bytes(_TRACE_BYTES, "big"),
        span_id=span_id.to_bytes(_SPAN_BYTES, "big"),
        sampled=sampled,
        trace_state=state,
    )


def read_trace_state(values: Sequence[str]) -> str:
    """Join the members of a list; one that breaks the rules is dropped as a whole."""
    members = [one for one in (part.strip(" \t") for part in ",".join(values).split(",")) if one]
    found = [_STATE_MEMBER.fullmatch(one) for one in members]
    keys = {one[1] for one in found if one}
    state = ",".join(members)
    whole = len(keys) == len(members) <= MAX_STATE_MEMBERS and len(state) <= MAX_STATE_CHARACTERS
    return state if whole else ""


def _only(values: Sequence[str]) -> str:
    """Return the value of a header that may be there once; twice is none."""
    return values[0].strip(" \t") if len(values) == 1 else ""
