"""A span as agents from Kata Containers 3.29 on send it: JSON, as `serde_json` writes it.

Ids are numbers: that of a trace has up to 39 digits, which only exact integers can hold. What is
one of several things is an object with one key. Not-a-number and infinities are null.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from ..single_span import AttributeMap, AttributeValue, ScalarValue, SpanEvent, SpanLink
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
from .agent_span_document import JsonObject, parse_document

Meaning = TypeVar("Meaning")

_INT64 = range(-(1 << 63), 1 << 63)
_U8, _U32, _U64, _U128 = (1 << bits for bits in (8, 32, 64, 128))


def read_json(text: str) -> AgentSpan:
    """Read a whole document; raise `MalformedAgentSpan`. Keys that are not known are ignored."""
    document = parse_document(text)
    return _span(_object(document, "it"), ValueBudget())


def _span(found: JsonObject, budget: ValueBudget) -> AgentSpan:
    own = _part(found, "attributes")
    events, links = _part(found, "events"), _part(found, "links")
    return agent_span(
        context=_context(_part(found, "span_context"), budget),
        parent_span_id=_number(found, "parent_span_id", _U64),
        kind=_variant(found, "span_kind", SPAN_KINDS),
        name=_text_at(found, "name"),
        started_ns=_time(found, "start_time"),
        ended_ns=_time(found, "end_time"),
        attributes=_map(_part(own, "map"), budget),
        dropped_attributes=_number(own, "dropped_count", _U32),
        events=[_event(_object(one, "event"), budget) for one in _list(events, "queue", budget)],
        dropped_events=_number(events, "dropped_count", _U32),
        links=[_link(_object(one, "link"), budget) for one in _list(links, "queue", budget)],
        dropped_links=_number(links, "dropped_count", _U32),
        status=_variant(found, "status_code", SPAN_STATUSES),
        status_message=_text_at(found, "status_message"),
        resource=_resource(found.get("resource"), budget),
    )


def _context(found: JsonObject, budget: ValueBudget) -> AgentSpanContext:
    state = found.get("trace_state")
    return AgentSpanContext(
        trace_id=_number(found, "trace_id", _U128),
        span_id=_number(found, "span_id", _U64),
        flags=_number(found, "trace_flags", _U8),
        trace_state=() if state is None else [_pair(one) for one in _items(state, budget)],
    )


def _event(found: JsonObject, budget: ValueBudget) -> SpanEvent:
    attributes, doubled = _pairs(found, budget)
    return SpanEvent(
        name=_text_at(found, "name"),
        time_ns=_time(found, "timestamp"),
        attributes=attributes,
        dropped_attributes=_number(found, "dropped_attributes_count", _U32) + doubled,
    )


def _link(found: JsonObject, budget: ValueBudget) -> SpanLink | None:
    attributes, doubled = _pairs(found, budget)
    dropped = _number(found, "dropped_attributes_count", _U32) + doubled
    return link_to(_context(_part(found, "span_context"), budget), attributes, dropped)


def _resource(found: object, budget: ValueBudget) -> AttributeMap:
    return {} if found is None else _map(_part(_object(found, "resource"), "attrs"), budget)


def _map(found: JsonObject, budget: ValueBudget) -> dict[str, AttributeValue]:
    budget.take(len(found))
    return {_text(key): _value(value, budget) for key, value in found.items()}


def _pairs(found: JsonObject, budget: ValueBudget) -> tuple[AttributeMap, int]:
    every = [_object(one, "attribute") for one in _list(found, "attributes", budget)]
    pairs = ((_text_at(one, "key"), _value(one.get("value"), budget)) for one in every)
    return event_attributes(pairs, len(every))


def _value(found: object, budget: ValueBudget) -> AttributeValue:
    variant, value = _one_of(found)
    if variant == "Array":
        variant, items = _one_of(value)
        read = _scalar(variant)
        return tuple([read(one) for one in _items(items, budget)])
    return _scalar(variant)(value)


def _one_of(found: object) -> tuple[str, object]:
    if type(found) is not dict or len(found) != 1:
        raise _wrong_type("value", found)
    return next(iter(found.items()))


def _scalar(variant: str) -> Callable[[object], ScalarValue]:
    read = _SCALARS.get(variant)
    if read is None:
        raise unknown_variant(f"type {variant[:40]!r} of a value")
    return read


def _bool(found: object) -> bool:
    if type(found) is not bool:
        raise _wrong_type("Bool", found)
    return found


def _int(found: object) -> int:
    if type(found) is not int:
        raise _wrong_type("I64", found)
    if found not in _INT64:
        raise MalformedAgentSpan(Malformation.OUT_OF_RANGE, "an integer has more than 64 bits")
    return found


def _float(found: object) -> float:
    if found is None:
        return math.nan
    if type(found) is int and found in _INT64:
        return float(found)
    if type(found) is not float:
        raise _wrong_type("F64", found)
    if math.isinf(found):
        raise MalformedAgentSpan(Malformation.OUT_OF_RANGE, "a number is too large")
    return found


def _text(found: object) -> str:
    if type(found) is not str:
        raise _wrong_type("text", found)
    if not found.isascii():
        try:
            found.encode()
        except UnicodeEncodeError:
            raise MalformedAgentSpan(
                Malformation.NOT_UNICODE, "a text has half a character"
            ) from None
    return found


def _text_at(found: JsonObject, key: str) -> str:
    return _text(_needed(found, key))


def _pair(found: object) -> tuple[str, str]:
    if type(found) is not list or len(found) != 2:  # noqa: PLR2004
        raise _wrong_type("trace_state", found)
    return _text(found[0]), _text(found[1])


def _time(found: JsonObject, key: str) -> int:
    time = _part(found, key)
    seconds = _number(time, "secs_since_epoch", _U64)
    return time_ns(seconds, _number(time, "nanos_since_epoch", _U32))


def _number(found: JsonObject, key: str, end: int) -> int:
    value = _needed(found, key)
    if type(value) is not int:
        raise _wrong_type(key, value)
    if not 0 <= value < end:
        raise MalformedAgentSpan(Malformation.OUT_OF_RANGE, f"{key} is out of range")
    return value


def _variant(found: JsonObject, key: str, names: Mapping[str, Meaning]) -> Meaning:
    name = _text_at(found, key)
    if name not in names:
        raise unknown_variant(f"{key} {name[:40]!r}")
    return names[name]


def _list(found: JsonObject, key: str, budget: ValueBudget) -> Sequence[object]:
    items = found.get(key)
    return () if items is None else _items(items, budget)


def _items(found: object, budget: ValueBudget) -> Sequence[object]:
    if type(found) is not list:
        raise _wrong_type("list", found)
    budget.take(len(found))
    return found


def _part(found: JsonObject, key: str) -> JsonObject:
    return _object(_needed(found, key), key)


def _object(found: object, what: str) -> JsonObject:
    if type(found) is not dict:
        raise _wrong_type(what, found)
    return found


def _needed(found: JsonObject, key: str) -> object:
    try:
        return found[key]
    except KeyError:
        raise MalformedAgentSpan(Malformation.MISSING_FIELD, f"{key} is missing") from None


def _wrong_type(what: str, found: object) -> MalformedAgentSpan:
    return MalformedAgentSpan(
        Malformation.WRONG_TYPE, f"{what} is of the wrong type ({type(found).__name__})"
    )


_SCALARS: Mapping[str, Callable[[object], ScalarValue]] = {
    "Bool": _bool,
    "I64": _int,
    "F64": _float,
    "String": _text,
}
