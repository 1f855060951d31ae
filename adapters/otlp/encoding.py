"""Batches of spans → requests of OTLP, in columns.

A span is a row of pieces, one behind the other: what its slice and task say, its ids and times,
its name, arguments and result, how it ended. What a piece says is encoded once, and only its
digits are worked out per span; then each sort of piece goes to its places in all rows at once.
There is no object per span, and the bytes are those a protobuf library would write: nothing is
padded. Only the order of a span's fields is our own, which readers may not depend on.
"""

import numpy as np
from attrs import define, field, frozen

from ...domain.model.pod import Container
from ...domain.model.span_attributes import ServiceResource
from ...domain.model.spans import Int64, SpanBatch
from ...domain.model.traces import SessionTrace, TracedBatch
from .encoding_columns import SPILL
from .encoding_messages import (
    MAX_REQUEST_BYTES,
    RESOURCE_ATTRIBUTE,
    attributes,
    own_scope,
    resource_openings,
)
from .encoding_roots import TaskAttributes, encoded_roots
from .encoding_rows import Rows
from .encoding_vocabulary import Vocabulary

_RESOURCES_KEPT = 1_024


@frozen
class Request:
    """An `ExportTraceServiceRequest`; `spans` of a batch are in it, without roots."""

    data: bytes
    spans: int


@define
class SpanEncoder:
    """Encodes what the sessions of a node did; lives as long as a sink, and knows its spans' kinds.

    Bounded: what it remembers is forgotten when it grows too large.
    """

    resource: ServiceResource
    max_request_bytes: int = field(default=MAX_REQUEST_BYTES, kw_only=True)
    _vocabulary: Vocabulary = field(factory=lambda: Vocabulary(()))
    _tasks: TaskAttributes = field(factory=TaskAttributes)
    _resources: dict[tuple[str | bool, ...], bytes] = field(factory=dict)

    def spans(self, traced: TracedBatch, session: SessionTrace) -> list[Request]:
        """Encode a batch as requests, its spans in their order; no spans make no request.

        A request has one `ResourceSpans` per container, and slices only as a whole, each with
        its root. It is larger than `max_request_bytes` only if a slice alone is.
        """
        if not len(traced.spans):
            return []
        rows = Rows.of(traced, self._words(traced.spans), self._tasks)
        roots = encoded_roots(traced, session, self._tasks)
        row_end, slices = np.cumsum(rows.size), traced.slices
        slice_end = row_end[slices.first + slices.count - 1]
        slice_begin = np.concatenate([[0], slice_end[:-1]])
        size = slice_end - slice_begin + [len(root) for root in roots]
        shift, parts, requests, written = np.empty(len(slices), np.int64), [], [], 0
        for request in self._divided(traced, size):
            begin = written
            for first, end in request:
                before = b"".join(roots[first:end])
                rows_bytes = int(slice_end[end - 1] - slice_begin[first])
                container = traced.spans.containers[slices.container[first]]
                opening = self._opening(container, len(before) + rows_bytes) + before
                parts.append((written, opening))
                shift[first:end] = written + len(opening) - slice_begin[first]
                written += len(opening) + rows_bytes
            spans = slices.count[request[0][0] : request[-1][1]].sum()
            requests.append((begin, written, int(spans)))
        data = np.empty(written + SPILL, np.uint8)
        rows.put(data, row_end - rows.size + shift[traced.slice_of])
        for at, opening in parts:
            data[at : at + len(opening)] = np.frombuffer(opening, np.uint8)
        return [Request(data[begin:end].tobytes(), spans) for begin, end, spans in requests]

    def _words(self, batch: SpanBatch) -> Vocabulary:
        words = self._vocabulary
        if words.full or words.kinds is not batch.kinds:
            self._vocabulary = words = Vocabulary(batch.kinds)
        return words

    def _divided(self, traced: TracedBatch, size: Int64) -> list[list[tuple[int, int]]]:
        """Divide slices among requests, and those of each among containers: (first, end)."""
        requests: list[list[tuple[int, int]]] = []
        containers, filled, before = traced.slices.container.tolist(), 0, -1
        for number, (container, content) in enumerate(zip(containers, size.tolist(), strict=True)):
            one = traced.spans.containers[container]
            opening = len(self._opening(one, self.max_request_bytes)) if container != before else 0
            if not requests or filled + opening + content > self.max_request_bytes:
                requests.append([])
                filled, opening = 0, len(self._opening(one, self.max_request_bytes))
            if opening:
                requests[-1].append((number, number))
            requests[-1][-1] = (requests[-1][-1][0], number + 1)
            filled, before = filled + opening + content, container
        return requests

    def _opening(self, container: Container, spans_bytes: int) -> bytes:
        return resource_openings(self._described(container), own_scope(self.resource), spans_bytes)

    def _described(self, container: Container) -> bytes:
        one = container
        key = (*one.key, one.pod_uid, one.image, one.runtime, one.isolated)
        if key not in self._resources:
            if len(self._resources) >= _RESOURCES_KEPT:
                self._resources.clear()
            self._resources[key] = attributes(RESOURCE_ATTRIBUTE, self.resource.of(container))
        return self._resources[key]
