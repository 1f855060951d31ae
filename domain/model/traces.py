"""Traces a person can read: spans cut into slices, each a whole trace, linked to their session.

A *slice* is a bounded run of spans of one task in one container. It has a root span of its own and
is complete when it is sent, so a viewer shows it while the session still runs. Ids are worked out
from what the spans are: every exporter, and every attempt to send, gives a span the same ones.
"""

from collections.abc import Mapping
from hashlib import blake2b

import numpy as np
from attrs import field, frozen

from .scattering import GOLDEN, scattered
from .single_span import SingleSpan
from .spans import Int32, Int64, SpanBatch, UInt64
from .trace_context import SpanContext

SLICE_SPANS = 1_000
"""A trace has at most so many spans besides its root: viewers grow slow with more."""


@frozen(kw_only=True)
class SessionTrace:
    """The trace that holds the span of one run of a session, which all its slices are linked to.

    `trace_id` has 16 bytes and `span_id` 8; `parent_span_id` has 8, or none if it is a root.
    `trace_state` is what the caller's trace carries along.
    """

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes = b""
    trace_state: str = ""
    name: str
    started_ns: int
    attributes: Mapping[str, str] = field(factory=dict)

    @classmethod
    def of(
        cls,
        session_id: str,
        *,
        started_ns: int,
        name: str,
        attributes: Mapping[str, str],
        caller: SpanContext | None = None,
        group: str = "",
    ) -> "SessionTrace":
        """Join the caller's trace, or begin one, with ids worked out from session and start.

        Sessions of a group have one trace, although they know nothing of each other.
        """
        own = _digest(f"{session_id} {started_ns}")
        trace_id = _digest(f"group {group}") if group else own
        return cls(
            trace_id=caller.trace_id if caller else trace_id[:16],
            span_id=own[16:],
            parent_span_id=caller.parent_id if caller else b"",
            trace_state=caller.trace_state if caller else "",
            name=name,
            started_ns=started_ns,
            attributes=attributes,
        )

    def span(self, ended_ns: int) -> SingleSpan:
        """Make the span of the run, which is over."""
        return SingleSpan(
            name=self.name,
            trace_id=self.trace_id,
            span_id=self.span_id,
            parent_span_id=self.parent_span_id,
            trace_state=self.trace_state,
            started_ns=self.started_ns,
            ended_ns=ended_ns,
            attributes=self.attributes,
        )


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=24).digest()


@frozen(kw_only=True, eq=False)
class Slices:
    """The root spans of k slices, in columns of length k.

    - `trace_id`: uint64, shape (k, 2), the upper half first; `root_id`: uint64
    - `first`, `count`: int64, where its spans are, all in one place
    - `start_ns`, `end_ns`: int64, from the first beginning to the last end, wall clock
    - `tid`, `pid`, `command`, `container`: int32, as in `SpanBatch`
    - `failed`, `events`: int64, how many of its spans failed; the kernel events of all of them
    """

    trace_id: UInt64
    root_id: UInt64
    first: Int64
    count: Int64
    start_ns: Int64
    end_ns: Int64
    tid: Int32
    pid: Int32
    command: Int32
    container: Int32
    failed: Int64
    events: Int64

    def __len__(self) -> int:
        """Count the slices."""
        return len(self.first)


@frozen(kw_only=True, eq=False)
class TracedBatch:
    """A batch cut into slices: `spans` in n rows, slice after slice, those of a container together.

    - `row_of`: int64, which row of the batch each span was
    - `slice_of`: int32, the number of each span's slice
    - `span_id`: uint64, never 0
    """

    spans: SpanBatch
    row_of: Int64
    slice_of: Int32
    span_id: UInt64
    slices: Slices


def cut(batch: SpanBatch, session: SessionTrace) -> TracedBatch:
    """Cut a batch into slices of at most `SLICE_SPANS` spans of one task each.

    Of each task, spans stay in the order they came in, which is that of their ends.
    """
    task = batch.container.astype(np.int64) << 32 | batch.tid
    order = np.argsort(task, kind="stable")
    spans, task = batch.take(order), task[order]
    row = np.arange(len(spans))
    begins = np.ones(len(spans), dtype=np.bool_)
    begins[1:] = task[1:] != task[:-1]
    of_task = row - np.maximum.accumulate(np.where(begins, row, 0))
    begins |= of_task % SLICE_SPANS == 0
    first = np.flatnonzero(begins)
    slice_of = (np.cumsum(begins) - 1).astype(np.int32)
    slices = _slices(spans, first, session)
    ordinal = (row - first[slice_of] + 1).astype(np.uint64)
    return TracedBatch(
        spans=spans,
        row_of=order,
        slice_of=slice_of,
        span_id=scattered(slices.root_id[slice_of] + ordinal * GOLDEN),
        slices=slices,
    )


def _slices(spans: SpanBatch, first: Int64, session: SessionTrace) -> Slices:
    tid, start_ns = spans.tid[first], spans.start_ns[first]
    # No task begins two spans at one moment, so these three name a slice of a session. Many
    # sessions may be in one trace, but each has a span of its own.
    seed = np.uint64(int.from_bytes(session.span_id, "big"))
    upper = scattered(seed ^ scattered(start_ns.astype(np.uint64)))
    lower = scattered(
        upper ^ scattered(spans.end_ns[first].astype(np.uint64) + tid.astype(np.uint64))
    )
    return Slices(
        trace_id=np.stack([upper, lower], axis=1),
        root_id=scattered(lower + GOLDEN),
        first=first,
        count=np.diff(np.append(first, len(spans))),
        start_ns=_reduced(np.minimum, spans.start_ns, first),
        end_ns=_reduced(np.maximum, spans.end_ns, first),
        tid=tid,
        pid=spans.pid[first],
        command=spans.command[first],
        container=spans.container[first],
        failed=_reduced(np.add, spans.failed.astype(np.int64), first),
        events=_reduced(np.add, spans.entered.astype(np.int64) + spans.returned, first),
    )


def _reduced(operation: np.ufunc, column: Int64, first: Int64) -> Int64:
    reduced: Int64 = operation.reduceat(column, first) if len(first) else column[:0]
    return reduced
