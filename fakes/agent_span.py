"""What the agent in a virtual machine of Kata Containers sends of a span, in both encodings."""

import json
import math
import struct
from collections.abc import Mapping, Sequence

from ..domain.model.guests.agent_span import SPAN_KINDS, SPAN_STATUSES, AgentSpan
from ..domain.model.single_span import AttributeValue, SpanEvent, SpanLink
from ..domain.model.trace_context import SpanContext

MAX_LEN = 128
"""How many attributes, events and links an agent keeps of each."""

_ARRAY_VARIANT = 4
_VARIANTS: Mapping[type, tuple[int, str]] = {
    bool: (0, "Bool"),
    int: (1, "I64"),
    float: (2, "F64"),
    str: (3, "String"),
}


def frame(payload: bytes) -> bytes:
    """Put its length before it, as it is sent."""
    return struct.pack(">Q", len(payload)) + payload


def agent_json(sent: AgentSpan) -> bytes:
    """Write a span as agents of Kata Containers 3.29 and later do."""
    return json.dumps(_document(sent), separators=(",", ":"), ensure_ascii=False).encode()


def agent_bincode(sent: AgentSpan) -> bytes:
    """Write a span as agents of Kata Containers 2.2 to 3.28 do."""
    span = sent.span
    return b"".join(
        (
            _bincode_context(_own_context(sent), remote=False),
            int.from_bytes(span.parent_span_id, "big").to_bytes(8, "little"),
            _u32(list(SPAN_KINDS.values()).index(span.kind)),
            _text(span.name),
            _time(span.started_ns),
            _time(span.ended_ns),
            _map(span.attributes),
            _list([_text(key) for key in span.attributes]),
            _u32(MAX_LEN, span.dropped_attributes),
            _queue([_event(one) for one in span.events]),
            _u32(MAX_LEN, span.dropped_events),
            _queue([_link(one) for one in span.links]),
            _u32(MAX_LEN, span.dropped_links),
            _u32(list(SPAN_STATUSES.values()).index(span.status)),
            _text(span.status_message),
            b"\1" + _map(sent.resource) if sent.resource else b"\0",
        )
    )


def _own_context(sent: AgentSpan) -> SpanContext:
    return SpanContext(
        trace_id=sent.span.trace_id,
        span_id=sent.span.span_id,
        trace_state=sent.span.trace_state,
    )


def _state(context: SpanContext) -> list[list[str]]:
    members = (member.partition("=") for member in context.trace_state.split(",") if member)
    return [[key, value] for key, _, value in members]


# JSON.


def _document(sent: AgentSpan) -> Mapping[str, object]:
    span = sent.span
    return {
        "span_context": _json_context(_own_context(sent), remote=False),
        "parent_span_id": int.from_bytes(span.parent_span_id, "big"),
        "span_kind": next(name for name, kind in SPAN_KINDS.items() if kind is span.kind),
        "name": span.name,
        "start_time": _json_time(span.started_ns),
        "end_time": _json_time(span.ended_ns),
        "attributes": {
            "map": _json_map(span.attributes),
            "evict_list": list(span.attributes),
            "max_len": MAX_LEN,
            "dropped_count": span.dropped_attributes,
        },
        "events": _json_queue([_json_event(one) for one in span.events], span.dropped_events),
        "links": _json_queue([_json_link(one) for one in span.links], span.dropped_links),
        "status_code": next(name for name, one in SPAN_STATUSES.items() if one is span.status),
        "status_message": span.status_message,
        "resource": {"attrs": _json_map(sent.resource)} if sent.resource else None,
    }


def _json_context(context: SpanContext, *, remote: bool) -> Mapping[str, object]:
    return {
        "trace_id": int.from_bytes(context.trace_id, "big"),
        "span_id": int.from_bytes(context.span_id, "big"),
        "trace_flags": int(context.sampled),
        "is_remote": remote,
        "trace_state": _state(context) or None,
    }


def _json_event(event: SpanEvent) -> Mapping[str, object]:
    return {
        "name": event.name,
        "timestamp": _json_time(event.time_ns),
        "attributes": _json_pairs(event.attributes),
        "dropped_attributes_count": event.dropped_attributes,
    }


def _json_link(link: SpanLink) -> Mapping[str, object]:
    return {
        "span_context": _json_context(link.context, remote=True),
        "attributes": _json_pairs(link.attributes),
        "dropped_attributes_count": link.dropped_attributes,
    }


def _json_queue(items: Sequence[object], dropped: int) -> Mapping[str, object]:
    return {"queue": items or None, "max_len": MAX_LEN, "dropped_count": dropped}


def _json_time(time_ns: int) -> Mapping[str, int]:
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    return {"secs_since_epoch": seconds, "nanos_since_epoch": nanoseconds}


def _json_map(attributes: Mapping[str, AttributeValue]) -> Mapping[str, object]:
    return {key: _json_value(value) for key, value in attributes.items()}


def _json_pairs(attributes: Mapping[str, AttributeValue]) -> list[Mapping[str, object]]:
    return [{"key": key, "value": _json_value(value)} for key, value in attributes.items()]


def _json_value(value: AttributeValue) -> Mapping[str, object]:
    if isinstance(value, tuple):
        return {"Array": {_item_variant(value)[1]: [_json_scalar(one) for one in value]}}
    return {_VARIANTS[type(value)][1]: _json_scalar(value)}


def _json_scalar(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


# bincode.


def _bincode_context(context: SpanContext, *, remote: bool) -> bytes:
    state = [_text(key) + _text(value) for key, value in _state(context)]
    fixed = bytes((int(context.sampled), remote))
    return context.trace_id[::-1] + context.span_id[::-1] + fixed + _queue(state)


def _event(event: SpanEvent) -> bytes:
    behind = _map(event.attributes) + _u32(event.dropped_attributes)
    return _text(event.name) + _time(event.time_ns) + behind


def _link(link: SpanLink) -> bytes:
    behind = _map(link.attributes) + _u32(link.dropped_attributes)
    return _bincode_context(link.context, remote=True) + behind


def _map(attributes: Mapping[str, AttributeValue]) -> bytes:
    return _list([_text(key) + _value(value) for key, value in attributes.items()])


def _value(value: AttributeValue) -> bytes:
    if isinstance(value, tuple):
        variant = _u32(_ARRAY_VARIANT, _item_variant(value)[0])
        return variant + _list([_scalar(one) for one in value])
    return _u32(_VARIANTS[type(value)][0]) + _scalar(value)


def _scalar(value: object) -> bytes:
    if isinstance(value, str):
        return _text(value)
    return struct.pack({bool: "<?", int: "<q", float: "<d"}[type(value)], value)


def _item_variant(items: Sequence[object]) -> tuple[int, str]:
    return _VARIANTS[type(items[0]) if items else str]


def _queue(items: Sequence[bytes]) -> bytes:
    return b"\1" + _list(items) if items else b"\0"


def _list(items: Sequence[bytes]) -> bytes:
    return struct.pack("<Q", len(items)) + b"".join(items)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _time(time_ns: int) -> bytes:
    return struct.pack("<QI", *divmod(time_ns, 1_000_000_000))


def _u32(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}I", *numbers)
