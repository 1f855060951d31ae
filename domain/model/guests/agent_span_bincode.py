"""A span as agents up to Kata Containers 3.28 send it: bincode 1.3.

That is little-endian numbers of fixed size; text, lists and maps behind their length in 64 bits;
a byte before what may be missing; a number of 32 bits before what may be one of several things.
Nothing else tells where a field ends. The order of fields is that of the Rust types.
"""

from collections.abc import Callable, Mapping
from struct import Struct
from struct import error as StructError  # noqa: N812 - it is an exception
from typing import TypeAlias

from attrs import define, field

from ..single_span import AttributeValue, ScalarValue, SpanEvent, SpanLink
from .agent_span import (
    SPAN_KINDS,
    SPAN_STATUSES,
    AgentSpan,
    AgentSpanContext,
    Malformation,
    MalformedAgentSpan,
    ValueBudget,
    agent_span,
    event_attributes,
    link_to,
    time_ns,
    unknown_variant,
)

Attributes: TypeAlias = dict[str, AttributeValue]

_KINDS = tuple(SPAN_KINDS.values())
_STATUSES = tuple(SPAN_STATUSES.values())

_CONTEXT = Struct("<16sQBBB")
"""Trace id, span id, flags, whether it is remote, whether there is a trace state."""
_HEAD = Struct("<QI")
"""Parent, kind."""
_TIMES = Struct("<QIQI")
_TIME = Struct("<QI")
_LIMITS = Struct("<II")
"""How many there may be, how many were dropped."""
_U64 = Struct("<Q")
_U32 = Struct("<I")
_I64 = Struct("<q")
_F64 = Struct("<d")
_BYTE = Struct("<B")


def read_bincode(payload: bytes) -> AgentSpan:
    """Read a whole frame; raise `MalformedAgentSpan`."""
    reader = _Reader(payload)
    try:
        span = _span(reader)
    except StructError:
        raise MalformedAgentSpan(Malformation.CUT_SHORT, "it ends too soon") from None
    if reader.at != len(payload):
        rest = len(payload) - reader.at
        raise MalformedAgentSpan(Malformation.TRAILING_BYTES, f"{rest} bytes are left over")
    return span


@define
class _Reader:
    """Goes along the bytes of a frame; raises `StructError` at their end."""

    data: bytes
    at: int = 0
    budget: ValueBudget = field(factory=ValueBudget)

    def take(self, layout: Struct) -> tuple[int, ...]:
        values = layout.unpack_from(self.data, self.at)
        self.at += layout.size
        return values

    def number(self, layout: Struct) -> int:
        value: int = layout.unpack_from(self.data, self.at)[0]
        self.at += layout.size
        return value

    def text(self) -> str:
        begin = self.at + 8
        end = begin + self.number(_U64)
        if end > len(self.data):
            raise MalformedAgentSpan(Malformation.CUT_SHORT, "it ends within a text")
        self.at = end
        try:
            return str(self.data[begin:end], "utf-8")
        except UnicodeDecodeError:
            raise MalformedAgentSpan(Malformation.NOT_UNICODE, "a text is not UTF-8") from None

    def count(self) -> int:
        count = self.number(_U64)
        self.budget.take(count)
        return count

    def flag(self) -> bool:
        return _flag(self.number(_BYTE))


def _span(reader: _Reader) -> AgentSpan:
    context = _context(reader)
    parent, kind = reader.take(_HEAD)
    if kind >= len(_KINDS):
        raise unknown_variant(f"span kind {kind}")
    name = reader.text()
    began, began_rest, ended, ended_rest = reader.take(_TIMES)
    attributes = _map(reader)
    for _ in range(reader.count()):
        reader.text()  # in which order attributes would have been dropped
    dropped_attributes = reader.take(_LIMITS)[1]
    events = [_event(reader) for _ in range(reader.count())] if reader.flag() else []
    dropped_events = reader.take(_LIMITS)[1]
    links = [_link(reader) for _ in range(reader.count())] if reader.flag() else []
    dropped_links = reader.take(_LIMITS)[1]
    status = reader.number(_U32)
    if status >= len(_STATUSES):
        raise unknown_variant(f"status {status}")
    return agent_span(
        context=context,
        parent_span_id=parent,
        kind=_KINDS[kind],
        name=name,
        started_ns=time_ns(began, began_rest),
        ended_ns=time_ns(ended, ended_rest),
        attributes=attributes,
        dropped_attributes=dropped_attributes,
        events=events,
        dropped_events=dropped_events,
        links=links,
        dropped_links=dropped_links,
        status=_STATUSES[status],
        status_message=reader.text(),
        resource=_map(reader) if reader.flag() else {},
    )


def _context(reader: _Reader) -> AgentSpanContext:
    trace_id, span_id, flags, is_remote, has_state = _CONTEXT.unpack_from(reader.data, reader.at)
    reader.at += _CONTEXT.size
    _flag(is_remote)
    stated = range(reader.count()) if _flag(has_state) else ()
    return AgentSpanContext(
        trace_id=int.from_bytes(trace_id, "little"),
        span_id=span_id,
        flags=flags,
        trace_state=[(reader.text(), reader.text()) for _ in stated],
    )


def _map(reader: _Reader) -> Attributes:
    count = reader.count()
    found = {reader.text(): _value(reader) for _ in range(count)}
    if len(found) != count:
        raise MalformedAgentSpan(Malformation.DUPLICATE_KEY, "an attribute is there twice")
    return found


def _event(reader: _Reader) -> SpanEvent:
    name = reader.text()
    seconds, nanoseconds = reader.take(_TIME)
    attributes, doubled = _pairs(reader)
    return SpanEvent(
        name=name,
        time_ns=time_ns(seconds, nanoseconds),
        attributes=attributes,
        dropped_attributes=reader.number(_U32) + doubled,
    )


def _link(reader: _Reader) -> SpanLink | None:
    context = _context(reader)
    attributes, doubled = _pairs(reader)
    return link_to(context, attributes, reader.number(_U32) + doubled)


def _pairs(reader: _Reader) -> tuple[Mapping[str, AttributeValue], int]:
    count = reader.count()
    return event_attributes(((reader.text(), _value(reader)) for _ in range(count)), count)


def _value(reader: _Reader) -> AttributeValue:
    variant = reader.number(_U32)
    if variant == _ARRAY:
        variant = reader.number(_U32)
        read = _scalar(variant)
        return tuple([read(reader) for _ in range(reader.count())])
    return _scalar(variant)(reader)


def _scalar(variant: int) -> Callable[[_Reader], ScalarValue]:
    if variant >= len(_SCALARS):
        raise unknown_variant(f"type {variant} of a value")
    return _SCALARS[variant]


def _flag(byte: int) -> bool:
    if byte > 1:
        raise MalformedAgentSpan(Malformation.OUT_OF_RANGE, f"{byte} is neither yes nor no")
    return bool(byte)


_SCALARS: tuple[Callable[[_Reader], ScalarValue], ...] = (
    _Reader.flag,
    lambda reader: reader.number(_I64),
    lambda reader: reader.number(_F64),
    _Reader.text,
)
_ARRAY = len(_SCALARS)
