"""Spans as Jaeger's Thrift structures, with the tags that OpenTelemetry's exporter would give them.

Built from columns, without the SDK's span objects: those alone cost more than all of this.
"""

import numpy as np
from attrs import define, field, frozen
from opentelemetry.exporter.jaeger.thrift.gen.jaeger.ttypes import Batch, Process, Span

from ...domain.model.pod import Container
from ...domain.model.single_span import AttributeValue
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
from .single_span_translation import own_batch
from .thrift_values import (
    NO_PARENT,
    SAMPLED,
    SCOPE_NAME,
    ThriftBatch,
    ThriftSpan,
    ThriftTag,
    follows_from,
    microseconds,
    tag,
    text,
)


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
        return Batch(process=Process(serviceName=text(self.resource.service_name)), spans=spans)

    def session_span(self, ended_ns: int) -> ThriftBatch:
        """Translate the session's own span, which is about the tracer itself."""
        return own_batch(self.resource, [self.session.span(ended_ns)])

    def _root(self, traced: TracedBatch, number: int, tags: "_SpanTags") -> ThriftSpan:
        batch, slices, session = traced.spans, traced.slices, self.session
        high, low = slices.trace_id[number].view(np.int64).tolist()
        start_ns, end_ns = int(slices.start_ns[number]), int(slices.end_ns[number])
        return Span(
            traceIdHigh=high,
            traceIdLow=low,
            spanId=int(slices.root_id[number].view(np.int64)),
            parentSpanId=NO_PARENT,
            operationName=text(root_name(batch, slices, number)),
            references=[follows_from(session.trace_id, session.span_id)],
            flags=SAMPLED,
            startTime=microseconds(start_ns),
            duration=microseconds(end_ns - start_ns),
            tags=tags.of_container(
                root_attributes(batch, slices, number, session),
                batch.containers[slices.container[number]],
            ),
        )


def _children(traced: TracedBatch, rows: Int64, tags: "_SpanTags") -> list[ThriftSpan]:
    batch, slices, slice_of = traced.spans, traced.slices, traced.slice_of[rows]
    start_ns, end_ns = batch.start_ns[rows], batch.end_ns[rows]
    columns = zip(
        rows.tolist(),
        *slices.trace_id.view(np.int64)[slice_of].T.tolist(),
        traced.span_id.view(np.int64)[rows].tolist(),
        slices.root_id.view(np.int64)[slice_of].tolist(),
        microseconds(start_ns).tolist(),
        microseconds(end_ns - start_ns).tolist(),
        strict=True,
    )
    return [
        Span(
            traceIdHigh=high,
            traceIdLow=low,
            spanId=span_id,
            parentSpanId=root_id,
            operationName=text(batch.kinds[batch.kind[row]].name),
            flags=SAMPLED,
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
    """Tags of the spans of one batch; what many spans say is one object.

    Their values are integers and text: a float or a bool may be equal to an integer, and is none.
    """

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
        scope: Attributes = {
            "span.kind": "internal",
            "otel.scope.name": SCOPE_NAME,
            "otel.scope.version": self._resource.service_version,
        }
        tags = [*self._of(attributes), *self._of(described), *self._of(scope)]
        if error:
            tags += self._of({"otel.status_code": "ERROR", "otel.status_description": error})
            tags.append(_FAILED)
        return tags

    def _of(self, attributes: Attributes) -> list[ThriftTag]:
        known = self._known
        return [known.get(pair) or self._new(pair) for pair in attributes.items()]

    def _new(self, pair: tuple[str, AttributeValue]) -> ThriftTag:
        made = self._known[pair] = tag(*pair)
        return made


_FAILED = tag("error", value=True)
