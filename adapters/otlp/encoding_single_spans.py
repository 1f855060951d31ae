"""Single spans → requests of OTLP: each field of each span, with the resource it is of."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from attrs import frozen

from ...domain.model.single_span import (
    SingleSpan,
    SingleSpanKind,
    SpanEvent,
    SpanLink,
    SpanOrigin,
    SpanStatus,
    by_origin,
)
from ...domain.model.single_span_size import attributes_cut_to, cut_to
from ...domain.model.span_attributes import ServiceResource
from .encoding_messages import (
    KIND_INTERNAL,
    MAX_REQUEST_BYTES,
    RESOURCE_ATTRIBUTE,
    SPAN_ATTRIBUTE,
    attributes,
    delimited,
    moment,
    number,
    own_scope,
    resource_openings,
    text,
    times,
)

_SAMPLED = 1
_KINDS = {
    SingleSpanKind.INTERNAL: KIND_INTERNAL,
    SingleSpanKind.SERVER: b"\x30\x02",
    SingleSpanKind.CLIENT: b"\x30\x03",
    SingleSpanKind.PRODUCER: b"\x30\x04",
    SingleSpanKind.CONSUMER: b"\x30\x05",
}
_STATUS_CODES = {SpanStatus.UNSET: 0, SpanStatus.OK: 1, SpanStatus.ERROR: 2}
_SPAN_FLAGS = b"\x85\x01\x01\x00\x00\x00"
"""Field 16: whoever exports a span has kept it, so it is sampled."""

_LINK_FLAGS = b"\x35"
_MAX_COUNT = (1 << 32) - 1
_MAX_SCOPE = 4_096
"""A longer name of a scope is cut, at so many characters."""


@frozen
class SingleSpansRequest:
    """An `ExportTraceServiceRequest`, and the spans in it."""

    data: bytes
    spans: Sequence[SingleSpan]


def single_span_requests(
    resource: ServiceResource,
    spans: Iterable[SingleSpan],
    *,
    max_request_bytes: int = MAX_REQUEST_BYTES,
) -> list[SingleSpansRequest]:
    """Encode spans, of the tracer that `resource` describes or of whoever else they are.

    A request has one `ResourceSpans` per origin. None is larger than asked: of a span that is
    too large alone, what does not fit is left out.
    """
    groups: list[list[_Encoded]] = []
    filled = 0
    for one in _encoded(resource, spans, max_request_bytes):
        same = groups and groups[-1][-1].origin is one.origin
        size = len(one.data) + (0 if same else one.origin.opening_bytes)
        if not groups or filled + size > max_request_bytes:
            groups.append([])
            filled, size = 0, len(one.data) + one.origin.opening_bytes
        groups[-1].append(one)
        filled += size
    return [SingleSpansRequest(_joined(one), [each.span for each in one]) for one in groups]


@frozen(eq=False)
class _Origin:
    """Resource and scope of some spans, encoded; what stands before these has so many bytes."""

    resource: bytes
    scope: bytes
    opening_bytes: int

    @classmethod
    def of(
        cls, origin: SpanOrigin | None, resource: ServiceResource, max_request_bytes: int
    ) -> "_Origin":
        whole = origin.attributes if origin else resource.attributes
        kept, dropped = attributes_cut_to(whole, max_request_bytes // 2)
        described = attributes(RESOURCE_ATTRIBUTE, kept) + number(2, dropped)
        scope = text(1, origin.scope[:_MAX_SCOPE]) if origin else own_scope(resource)
        opening = resource_openings(described, scope, max_request_bytes)
        return cls(described, scope, len(opening))


@frozen(eq=False)
class _Encoded:
    """A span as `ScopeSpans` has it."""

    data: bytes
    span: SingleSpan
    origin: _Origin

    @classmethod
    def within(cls, max_bytes: int, span: SingleSpan, origin: _Origin) -> "_Encoded":
        """Encode so much of a span as fits."""
        data, allowed = delimited(2, _single_span(span)), max_bytes
        while len(data) > max_bytes and allowed:
            allowed //= 2
            data = delimited(2, _single_span(cut_to(span, allowed)))
        return cls(data, span, origin)


def _encoded(
    resource: ServiceResource, spans: Iterable[SingleSpan], max_request_bytes: int
) -> Iterator[_Encoded]:
    """Encode spans, those of an origin one after the other."""
    for of_origin in by_origin(spans):
        origin = _Origin.of(of_origin[0].origin, resource, max_request_bytes)
        for span in of_origin:
            yield _Encoded.within(max_request_bytes - origin.opening_bytes, span, origin)


def _joined(group: Iterable[_Encoded]) -> bytes:
    parts: list[bytes] = []
    for origin, run in groupby(group, key=lambda one: one.origin):
        data = b"".join(one.data for one in run)
        parts += [resource_openings(origin.resource, origin.scope, len(data)), data]
    return b"".join(parts)


def _single_span(span: SingleSpan) -> bytes:
    return b"".join(
        (
            delimited(1, span.trace_id),
            delimited(2, span.span_id),
            text(3, span.trace_state) if span.trace_state else b"",
            delimited(4, span.parent_span_id) if span.parent_span_id else b"",
            text(5, span.name),
            _KINDS[span.kind],
            times(span.started_ns, span.ended_ns),
            attributes(SPAN_ATTRIBUTE, span.attributes),
            _dropped(10, span.dropped_attributes),
            b"".join(delimited(11, _event(one)) for one in span.events),
            _dropped(12, span.dropped_events),
            b"".join(delimited(13, _link(one)) for one in span.links),
            _dropped(14, span.dropped_links),
            _status(span),
            _SPAN_FLAGS,
        )
    )


def _event(event: SpanEvent) -> bytes:
    return b"".join(
        (
            moment(1, event.time_ns),
            text(2, event.name),
            attributes(3, event.attributes),
            _dropped(4, event.dropped_attributes),
        )
    )


def _link(link: SpanLink) -> bytes:
    context = link.context
    flags = _SAMPLED if context.sampled else 0
    return b"".join(
        (
            delimited(1, context.trace_id),
            delimited(2, context.span_id),
            text(3, context.trace_state) if context.trace_state else b"",
            attributes(4, link.attributes),
            _dropped(5, link.dropped_attributes),
            _LINK_FLAGS + flags.to_bytes(4, "little"),
        )
    )


def _status(span: SingleSpan) -> bytes:
    message = text(2, span.status_message) if span.status_message else b""
    content = message + number(3, _STATUS_CODES[span.status])
    return delimited(15, content) if content else b""


def _dropped(field: int, count: int) -> bytes:
    return number(field, min(count, _MAX_COUNT))
