"""Single spans as a collector of Jaeger decodes them, by the official generated code."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opentelemetry.exporter.jaeger.thrift.gen.jaeger.ttypes import Batch, SpanRefType, TagType
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TTransport import TMemoryBuffer

from container_tracer.domain.model.quoting import unicode_text
from container_tracer.domain.model.single_span import AttributeMap, AttributeValue, SingleSpan
from container_tracer.fakes.jaeger_agent import read_emitted

from .said import OWN, RESOURCE, Exact, Said, exact, pairs, plain, said

_LINK = ("event", ("str", "link"))


def said_to_jaeger(span: SingleSpan) -> Said:
    """Return what is left of it in Jaeger's words."""
    whole = said(span)
    start_ns, end_ns = whole["times"]
    return whole | {
        "times": (_microseconds(start_ns), _microseconds(end_ns - start_ns)),
        "attributes": _as_jaeger(span.attributes),
        "events": [
            (
                _microseconds(one.time_ns),
                unicode_text(one.name),
                _as_jaeger(one.attributes),
                one.dropped_attributes,
            )
            for one in span.events
        ],
        "links": [(one.context.trace_id, one.context.span_id) for one in span.links],
        "link details": [
            (
                one.context.trace_id,
                one.context.span_id,
                unicode_text(one.context.trace_state),
                _as_jaeger(one.attributes),
                one.dropped_attributes,
            )
            for one in span.links
            if one.attributes or one.context.trace_state or one.dropped_attributes
        ],
        "resource": sorted(_as_jaeger((span.origin or OWN).attributes)),
    }


def _as_jaeger(attributes: AttributeMap) -> list[tuple[str, Exact]]:
    return pairs({name: _jaeger_value(value) for name, value in attributes.items()})


def _jaeger_value(value: AttributeValue) -> AttributeValue:
    """Jaeger has no arrays, and JSON no numbers that are none."""
    shown = plain(value)
    return json.dumps(shown) if isinstance(value, tuple) else shown


def _microseconds(nanoseconds: int) -> int:
    return (nanoseconds + 500) // 1_000


def read_jaeger(body: bytes) -> Iterator[Said]:
    buffer, batch = TMemoryBuffer(body), Batch()
    batch.read(TBinaryProtocol(buffer))
    batch.validate()
    assert not buffer.read(1)
    yield from _spans(batch)


def read_agent(packet: bytes) -> Iterator[Said]:
    yield from _spans(read_emitted(packet))


def _spans(batch: Any) -> Iterator[Said]:
    for span in batch.spans:
        yield _jaeger_span(span, batch.process)


def _jaeger_span(span: Any, process: Any) -> Said:
    assert span.flags == 1
    assert all(one.refType == SpanRefType.FOLLOWS_FROM for one in span.references or ())
    found, own = _tags(span.tags), dict(pairs(RESOURCE.attributes))
    named = dict(found)
    foreign = "team" not in named
    resource = [("service.name", exact(process.serviceName)), *_tags(process.tags or ())]
    logs = [(one.timestamp, _tags(one.fields)) for one in span.logs or ()]
    assert (("error", exact(True)) in found) == (_tagged(named, "otel.status_code") == "ERROR")
    return {
        "name": span.operationName,
        "kind": _tagged(named, "span.kind"),
        "trace_id": _id(span.traceIdHigh) + _id(span.traceIdLow),
        "span_id": _id(span.spanId),
        "parent_span_id": _id(span.parentSpanId) if span.parentSpanId else b"",
        "trace_state": _tagged(named, "w3c.tracestate"),
        "times": (span.startTime, span.duration),
        "attributes": [pair for pair in found if pair[0].startswith("a.")],
        "events": [(time, *_event(fields)) for time, fields in logs if _LINK not in fields],
        "links": [
            (_id(one.traceIdHigh) + _id(one.traceIdLow), _id(one.spanId))
            for one in span.references or ()
        ],
        "link details": [_link_detail(fields) for _, fields in logs if _LINK in fields],
        "status": (
            _tagged(named, "otel.status_code").lower() or "unset",
            _tagged(named, "otel.status_description"),
        ),
        "resource": sorted(resource if foreign else [one for one in found if one[0] in own]),
        "scope": _tagged(named, "otel.scope.name"),
        "dropped": tuple(
            int(_tagged(named, f"otel.dropped_{what}_count") or 0)
            for what in ("attributes", "events", "links")
        ),
    }


def _tags(tags: Sequence[Any]) -> list[tuple[str, Exact]]:
    fields = {
        TagType.STRING: "vStr",
        TagType.LONG: "vLong",
        TagType.BOOL: "vBool",
        TagType.DOUBLE: "vDouble",
    }
    return [(one.key, exact(getattr(one, fields[one.vType]))) for one in tags]


def _tagged(tags: Mapping[str, Exact], name: str) -> str:
    return str(tags.get(name, ("", ""))[1])


def _event(fields: list[tuple[str, Exact]]) -> tuple[Any, ...]:
    named = dict(fields)
    return (
        _tagged(named, "event"),
        [pair for pair in fields if pair[0].startswith("a.")],
        int(_tagged(named, "otel.event.dropped_attributes_count") or 0),
    )


def _link_detail(fields: list[tuple[str, Exact]]) -> tuple[Any, ...]:
    named = dict(fields)
    return (
        bytes.fromhex(_tagged(named, "trace_id")),
        bytes.fromhex(_tagged(named, "span_id")),
        _tagged(named, "w3c.tracestate"),
        [pair for pair in fields if pair[0].startswith("a.")],
        int(_tagged(named, "otel.link.dropped_attributes_count") or 0),
    )


def _id(number: int) -> bytes:
    return (number % (1 << 64)).to_bytes(8, "big")
