"""A Jaeger collector on loopback, with the spans it has got."""

from typing import TypeAlias

from attrs import define, frozen
from opentelemetry.exporter.jaeger.thrift.gen.jaeger.ttypes import Batch, SpanRefType, Tag, TagType
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TTransport import TMemoryBuffer

from .http_collector import FakeHttpCollector

TagValue: TypeAlias = int | str | bool


@frozen(kw_only=True)
class CollectedSpan:
    """A span as a collector reads it; ids are unsigned, `follows` holds (trace id, span id)."""

    service: str
    trace_id: int
    span_id: int
    parent_id: int
    name: str
    start_us: int
    duration_us: int
    flags: int
    tags: dict[str, TagValue]
    follows: tuple[tuple[int, int], ...] = ()


def read_batch(body: bytes) -> list[CollectedSpan]:
    """Read a batch in Thrift's binary protocol, all of it."""
    buffer = TMemoryBuffer(body)
    batch = Batch()
    batch.read(TBinaryProtocol(buffer))
    batch.validate()
    if rest := buffer.read(1):
        raise ValueError(f"{rest!r} comes after the batch")
    return spans_of(batch)


def spans_of(batch: Batch) -> list[CollectedSpan]:
    """Understand the spans of a batch."""
    return [
        CollectedSpan(
            service=batch.process.serviceName,
            trace_id=_joined(span.traceIdHigh, span.traceIdLow),
            span_id=_unsigned(span.spanId),
            parent_id=_unsigned(span.parentSpanId),
            name=span.operationName,
            start_us=span.startTime,
            duration_us=span.duration,
            flags=span.flags,
            tags=_tags(span.tags),
            follows=tuple(
                (_joined(one.traceIdHigh, one.traceIdLow), _unsigned(one.spanId))
                for one in span.references or ()
                if one.refType == SpanRefType.FOLLOWS_FROM
            ),
        )
        for span in batch.spans
    ]


@define(eq=False)
class FakeJaegerCollector(FakeHttpCollector):
    """Keeps what it got; `spans` reads it."""

    @property
    def endpoint(self) -> str:
        """Where it takes spans."""
        return f"{self.url}/api/traces"

    @property
    def spans(self) -> list[CollectedSpan]:
        """All spans of the requests it said it has got, in order."""
        return [span for one in self.taken for span in read_batch(one.body)]


def _tags(tags: list[Tag]) -> dict[str, TagValue]:
    found = {}
    for tag in tags:
        if tag.key in found:
            raise ValueError(f"tag {tag.key!r} comes twice")
        found[tag.key] = {
            TagType.STRING: tag.vStr,
            TagType.LONG: tag.vLong,
            TagType.BOOL: tag.vBool,
        }[tag.vType]
    return found


def _joined(high: int, low: int) -> int:
    return _unsigned(high) << 64 | _unsigned(low)


def _unsigned(number: int) -> int:
    return number % (1 << 64)
