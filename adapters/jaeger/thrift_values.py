"""Values in the words of Jaeger's Thrift structures."""

import json
import math
from typing import Any, TypeAlias

from opentelemetry.exporter.jaeger.thrift.gen.jaeger.ttypes import (
    SpanRef,
    SpanRefType,
    Tag,
    TagType,
)

from ...domain.model.json_values import json_value
from ...domain.model.quoting import unicode_text
from ...domain.model.single_span import AttributeMap, AttributeValue

ThriftBatch: TypeAlias = Any
"""The generated code has no types."""
ThriftStructure: TypeAlias = Any
ThriftSpan: TypeAlias = Any
ThriftTag: TypeAlias = Any
ThriftLog: TypeAlias = Any
ThriftReference: TypeAlias = Any

MAX_TEXT = 4096
"""Longer text is cut, at so many characters: a collector refuses what is too large as a whole."""

SCOPE_NAME = "container-tracer"

SAMPLED = 1
NO_PARENT = 0


def tag(key: str, value: AttributeValue) -> ThriftTag:
    """Make a tag; what Jaeger has no type for becomes text."""
    name = text(key)
    match value:
        case bool():
            return Tag(key=name, vType=TagType.BOOL, vBool=value)
        case int():
            return Tag(key=name, vType=TagType.LONG, vLong=value)
        case float() if math.isfinite(value):
            return Tag(key=name, vType=TagType.DOUBLE, vDouble=value)
        case str():
            return Tag(key=name, vType=TagType.STRING, vStr=text(value))
    # Jaeger answers in JSON, which knows no NaN: one would keep the whole trace from being shown.
    shown = json_value(value, unicode_text)
    as_text = shown if isinstance(shown, str) else json.dumps(shown)
    return Tag(key=name, vType=TagType.STRING, vStr=text(as_text))


def tags(attributes: AttributeMap) -> list[ThriftTag]:
    """Make tags of attributes, in their order."""
    return [tag(name, value) for name, value in attributes.items()]


def follows_from(trace_id: bytes, span_id: bytes) -> ThriftReference:
    """Refer to another span."""
    return SpanRef(
        refType=SpanRefType.FOLLOWS_FROM, **trace_id_fields(trace_id), spanId=signed(span_id)
    )


def text(content: str) -> str:
    """Make text as Jaeger takes it."""
    return unicode_text(content[:MAX_TEXT])


def trace_id_fields(trace_id: bytes) -> dict[str, int]:
    """Make two numbers of 16 bytes."""
    return {"traceIdHigh": signed(trace_id[:8]), "traceIdLow": signed(trace_id[8:])}


def signed(eight_bytes: bytes) -> int:
    """Read an id as Thrift's numbers, which have a sign, hold it."""
    return int.from_bytes(eight_bytes, "big", signed=True)


def microseconds(nanoseconds: Any) -> Any:  # noqa: ANN401 - an integer or a column of them
    """Round to the nearest, as OpenTelemetry's exporter does."""
    return (nanoseconds + 500) // 1000
