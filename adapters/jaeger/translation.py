"""Spans as Jaeger's Thrift structures, with the tags that OpenTelemetry's exporter would give them.

Built from columns, without the SDK's span objects: those alone cost more than all of this.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
from attrs import define, field, frozen
from opentelemetry.exporter.jaeger.thrift.gen.jaeger.ttypes import (
    Batch,
    Process,
    Span,
    SpanRef,
    SpanRefType,
    Tag,
    TagType,
)

from ...domain.model.pod import Container
from ...domain.model.quoting import unicode_text
from ...domain.model.single_span import AttributeValue, SingleSpan, SingleSpanKind
from ...domain.model.span_attributes import (
    Attributes,
    ServiceResource,
    root_attributes,
    root_name,
    span_attributes,
    span_error,
)
from ...domain.model.spans import Int64
from ...domain.model.traces import SessionTrace, TracedBatch

ThriftBatch: TypeAlias = Any
"""The generated code has no types."""
ThriftStructure: TypeAlias = Any
ThriftSpan: TypeAlias = Any
ThriftTag: TypeAlias = Any

MAX_TEXT = 4096
"""Longer text is cut, at so many characters: a collector refuses what is too large as a whole."""

SCOPE_NAME = "container-tracer"

_SAMPLED = 1
_NO_PARENT = 0


@frozen(kw_only=True)
class BatchTranslation:
    """Turns spans into the batches of one session, all filed under one service."""

    resource: ServiceResource
    session: SessionTrace

    def spans(self, traced: TracedBatch, rows: Int64, slices: Int64) -> ThriftBatch:
        """Translate the roots of slices, given by their numbers, and spans, by their rows."""
        tags = _SpanTags(self.resource)
        spans = [self._root(traced, number, tags) for number in slices.tolist()]
        spans += _children(traced, rows, tags)
        return _batch(self.resource, spans)

    def session_span(self, ended_ns: int) -> ThriftBatch:
        """Translate the session's own span, which is about the tracer itself."""
        return own_batch(self.resource, [self.session.span(ended_ns)])

    def _root(self, traced: TracedBatch, number: int, tags: "_SpanTags") -> ThriftSpan:
        batch, slices, session = traced.spans, traced.slices, self.session
        high, low = slices.trace_id[number].view(np.int64).tolist()
        start_ns, end_ns = int(slices.start_ns[number]), int(slices.end_ns[number])
        link = SpanRef(
            refType=SpanRefType.FOLLOWS_FROM,
            **_trace_id(session.trace_id),
            spanId=_signed(session.span_id),
        )
        return Span(
            traceIdHigh=high,
            traceIdLow=low,
            spanId=int(slices.root_id[number].view(np.int64)),
            parentSpanId=_NO_PARENT,
            operationName=_text(root_name(batch, slices, number)),
            references=[link],
            flags=_SAMPLED,
            startTime=_microseconds(start_ns),
            duration=_microseconds(end_ns - start_ns),
            tags=tags.of_container(
                root_attributes(batch, slices, number, session),
                batch.containers[slices.container[number]],
            ),
        )


def own_batch(resource: ServiceResource, spans: Iterable[SingleSpan]) -> ThriftBatch:
    """Translate spans of the tracer itself, which its resource describes."""
    tags = _SpanTags(resource)
    return _batch(resource, [_own(one, tags, resource) for one in spans])


def _own(span: SingleSpan, tags: "_SpanTags", resource: ServiceResource) -> ThriftSpan:
    return Span(
        **_trace_id(span.trace_id),
        spanId=_signed(span.span_id),
        parentSpanId=_signed(span.parent_span_id) if span.parent_span_id else _NO_PARENT,
        operationName=_text(span.name),
        flags=_SAMPLED,
        startTime=_microseconds(span.started_ns),
        duration=_microseconds(span.ended_ns - span.started_ns),
        tags=tags.of(
            span.attributes, resource.attributes, kind=span.kind, error=span.status_message
        ),
    )


def _batch(resource: ServiceResource, spans: list[ThriftSpan]) -> ThriftBatch:
    return Batch(process=Process(serviceName=_text(resource.service_name)), spans=spans)


def _children(traced: TracedBatch, rows: Int64, tags: "_SpanTags") -> list[ThriftSpan]:
    batch, slices, slice_of = traced.spans, traced.slices, traced.slice_of[rows]
    start_ns, end_ns = batch.start_ns[rows], batch.end_ns[rows]
    columns = zip(
        rows.tolist(),
        *slices.trace_id.view(np.int64)[slice_of].T.tolist(),
        traced.span_id.view(np.int64)[rows].tolist(),
        slices.root_id.view(np.int64)[slice_of].tolist(),
        _microseconds(start_ns).tolist(),
        _microseconds(end_ns - start_ns).tolist(),
        strict=True,
    )
    return [
        Span(
            traceIdHigh=high,
            traceIdLow=low,
            spanId=span_id,
            parentSpanId=root_id,
            operationName=_text(batch.kinds[batch.kind[row]].name),
            flags=_SAMPLED,
            startTime=start,
            duration=duration,
            tags=tags.of_container(
                span_attributes(batch, row),
                batch.containers[batch.container[row]],
                error=span_error(batch, row),
            ),
        )
        for row, high, low, span_id, root_id, start, duration in columns
    ]


@define
class _SpanTags:
    """Tags of the spans of one batch; what many spans say is one object."""

    _resource: ServiceResource
    _known: dict[tuple[str, AttributeValue], ThriftTag] = field(factory=dict)
    _of_container: dict[int, Attributes] = field(factory=dict)

    def of_container(
        self, attributes: Attributes, container: Container, *, error: str = ""
    ) -> list[ThriftTag]:
        """Tag a span of a container; `error` names what it failed with."""
        # Containers hold mappings, so they cannot be the keys of a dict.
        described = self._of_container.get(id(container))
        if described is None:
            described = self._of_container[id(container)] = self._resource.of(container)
        return self.of(attributes, described, error=error)

    def of(
        self,
        attributes: Mapping[str, AttributeValue],
        resource: Attributes,
        *,
        kind: SingleSpanKind = SingleSpanKind.INTERNAL,
        error: str = "",
    ) -> list[ThriftTag]:
        """Tag a span with attributes of its own, those of its resource, and how it ended."""
        scope = {
            "span.kind": kind.value,
            "otel.scope.name": SCOPE_NAME,
            "otel.scope.version": self._resource.service_version,
        }
        tags = [*self._of(attributes), *self._of(resource), *self._of(scope)]
        if error:
            status = {"otel.status_code": "ERROR", "otel.status_description": error}
            tags += self._of(status)
            tags.append(_FAILED)
        return tags

    def _of(self, attributes: Mapping[str, AttributeValue]) -> list[ThriftTag]:
        known = self._known
        return [known.get(pair) or self._new(pair) for pair in attributes.items()]

    def _new(self, pair: tuple[str, AttributeValue]) -> ThriftTag:
        key, value = pair
        name = _text(key)
        match value:
            case bool():
                tag = Tag(key=name, vType=TagType.BOOL, vBool=value)
            case int():
                tag = Tag(key=name, vType=TagType.LONG, vLong=value)
            case float():
                tag = Tag(key=name, vType=TagType.DOUBLE, vDouble=value)
            case str():
                tag = Tag(key=name, vType=TagType.STRING, vStr=_text(value))
            case tuple():
                tag = Tag(key=name, vType=TagType.STRING, vStr=_text(json.dumps(value)))
        self._known[pair] = tag
        return tag


_FAILED = Tag(key="error", vType=TagType.BOOL, vBool=True)


def _text(text: str) -> str:
    return unicode_text(text[:MAX_TEXT])


def _trace_id(trace_id: bytes) -> dict[str, int]:
    high, low = trace_id[:8], trace_id[8:]
    return {"traceIdHigh": _signed(high), "traceIdLow": _signed(low)}


def _signed(eight_bytes: bytes) -> int:
    return int.from_bytes(eight_bytes, "big", signed=True)


def _microseconds(nanoseconds: Any) -> Any:  # noqa: ANN401 - an integer or a column of them
    """Round to the nearest, as OpenTelemetry's exporter does."""
    return (nanoseconds + 500) // 1000
