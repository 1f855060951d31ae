"""Protobuf messages of OTLP, one at a time: for what is not on the hot path.

Field numbers are those of opentelemetry/proto/trace/v1/trace.proto and what it imports. All
numbers and lengths take as few bytes as they can.
"""

from collections.abc import Mapping
from struct import pack

from ...domain.model.quoting import unicode_text
from ...domain.model.single_span import AttributeValue
from ...domain.model.span_attributes import ServiceResource
from ...domain.model.traces import SessionTrace, Slices

SCOPE = "container-tracer"

MAX_REQUEST_BYTES = 4_000_000
"""A request is no larger: receivers over gRPC refuse more than 4 MiB unless told otherwise."""

KIND_INTERNAL = b"\x30\x01"
SPAN_ATTRIBUTE = 9
RESOURCE_ATTRIBUTE = 1
INT_VALUE = b"\x18"
_DELIMITED = 2
_SHORT = 128
"""Smaller numbers are one byte."""
_STATUS_ERROR = b"\x18\x02"
_ALL_BITS = (1 << 64) - 1


def varint(number: int) -> bytes:
    """Encode a number, seven bits to a byte; a negative one as its 64 bits."""
    number &= _ALL_BITS
    if number < _SHORT:
        return bytes((number,))
    encoded = bytearray()
    while number >= _SHORT:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def delimited(field: int, content: bytes) -> bytes:
    """Encode a field that is a message, text or bytes."""
    return opening(field, len(content)) + content


def opening(field: int, length: int) -> bytes:
    """Encode what stands before the content of such a field."""
    tag = field << 3 | _DELIMITED  # below 128 in all messages here
    return bytes((tag, length)) if length < _SHORT else bytes((tag,)) + varint(length)


def text(field: int, content: str) -> bytes:
    r"""Encode text; a byte that was no UTF-8 becomes `\xff`, visibly, as in every exporter."""
    return delimited(field, unicode_text(content).encode())


def attribute(field: int, name: str, value: AttributeValue) -> bytes:
    """Encode a `KeyValue`."""
    return delimited(field, text(1, name) + delimited(2, _any_value(value)))


def _any_value(value: AttributeValue) -> bytes:
    """Encode the content of an `AnyValue`."""
    match value:
        case bool():
            return bytes((0x10, value))
        case int():
            return INT_VALUE + varint(value)
        case float():
            return pack("<Bd", 0x21, value)
        case str():
            return text(1, value)
        case tuple():
            items = b"".join(delimited(1, _any_value(one)) for one in value)
            return delimited(5, items)


def attribute_up_to_digits(name: str, head: bytes, digits: int) -> bytes:
    """Encode a span's attribute, less so many bytes at the end of its value, after `head`."""
    content = text(1, name) + opening(2, len(head) + digits) + head
    return opening(SPAN_ATTRIBUTE, len(content) + digits) + content


def number(field: int, value: int) -> bytes:
    """Encode a field that is a number; nothing if it is 0."""
    return bytes((field << 3,)) + varint(value) if value else b""


def attributes(field: int, described: Mapping[str, AttributeValue]) -> bytes:
    """Encode attributes in their order."""
    return b"".join(attribute(field, name, value) for name, value in described.items())


def error_status(message: str) -> bytes:
    """Encode the status of a span that failed."""
    return delimited(15, text(2, message) + _STATUS_ERROR)


def moment(field: int, time_ns: int) -> bytes:
    """Encode a field that is a time."""
    return pack("<BQ", field << 3 | 1, time_ns & _ALL_BITS)


def times(start_ns: int, end_ns: int) -> bytes:
    """Encode when a span was."""
    return moment(7, start_ns) + moment(8, end_ns)


def link(session: SessionTrace) -> bytes:
    """Encode a span's link to that of its session."""
    return delimited(13, delimited(1, session.trace_id) + delimited(2, session.span_id))


def own_scope(resource: ServiceResource) -> bytes:
    """Encode who made the spans that are the tracer's own work."""
    version = resource.service_version
    return text(1, SCOPE) + (text(2, version) if version else b"")


def resource_openings(resource: bytes, scope: bytes, spans_bytes: int) -> bytes:
    """Encode what stands before the spans of a resource in a request: fields 2 of `ScopeSpans`."""
    inside = delimited(1, scope)
    scope_spans = opening(2, len(inside) + spans_bytes) + inside
    resource_field = delimited(1, resource)
    length = len(resource_field) + len(scope_spans) + spans_bytes
    return opening(1, length) + resource_field + scope_spans


def slice_ids(slices: Slices) -> tuple[list[bytes], list[bytes]]:
    """Encode the traces that slices are, and the ids of their root spans, as bytes."""
    traces, roots = slices.trace_id.astype(">u8").tobytes(), slices.root_id.astype(">u8").tobytes()
    numbers = range(len(slices))
    return (
        [delimited(1, traces[16 * one : 16 * one + 16]) for one in numbers],
        [roots[8 * one : 8 * one + 8] for one in numbers],
    )
