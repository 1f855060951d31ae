"""An encoder of OTLP that says little of each span, with the official messages."""

from collections.abc import Iterator

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from container_tracer.domain.model.traces import SessionTrace, TracedBatch


class PlainEncoder:
    """A request per `spans_per_request` spans, whole slices only."""

    def __init__(self, spans_per_request: int = 8_192) -> None:
        self.spans_per_request = spans_per_request

    def spans(self, traced: TracedBatch, session: SessionTrace) -> list[tuple[bytes, int]]:
        return list(self._requests(traced, session))

    def _requests(self, traced: TracedBatch, session: SessionTrace) -> Iterator[tuple[bytes, int]]:
        request, count = ExportTraceServiceRequest(), 0
        for number in range(len(traced.slices)):
            scope = request.resource_spans.add().scope_spans.add()
            trace_id = traced.slices.trace_id[number].astype(">u8").tobytes()
            root_id = int(traced.slices.root_id[number]).to_bytes(8, "big")
            root = scope.spans.add(trace_id=trace_id, span_id=root_id, name="root")
            root.links.add(trace_id=session.trace_id, span_id=session.span_id)
            first = int(traced.slices.first[number])
            for row in range(first, first + int(traced.slices.count[number])):
                scope.spans.add(
                    trace_id=trace_id,
                    span_id=int(traced.span_id[row]).to_bytes(8, "big"),
                    parent_span_id=root_id,
                    name=traced.spans.kinds[traced.spans.kind[row]].name,
                    start_time_unix_nano=int(traced.spans.start_ns[row]),
                )
            count += int(traced.slices.count[number])
            if count >= self.spans_per_request:
                yield request.SerializeToString(), count
                request, count = ExportTraceServiceRequest(), 0
        if count:
            yield request.SerializeToString(), count

    def session(self, session: SessionTrace, *, ended_ns: int) -> bytes:
        request = ExportTraceServiceRequest()
        request.resource_spans.add().scope_spans.add().spans.add(
            trace_id=session.trace_id,
            span_id=session.span_id,
            name=session.name,
            start_time_unix_nano=session.started_ns,
            end_time_unix_nano=ended_ns,
        )
        data: bytes = request.SerializeToString()
        return data
