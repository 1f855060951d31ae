"""What a program keeps of its own spans to show it: statistics by name, and samples.

Its size has a bound, `MAX_BYTES`, whatever comes: names, kinds of errors, samples and the text of
each are limited, and what is beyond is counted together.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from heapq import nsmallest

from attrs import define, field

from .call_statistics import CallStatistics
from .single_span import SingleSpan, SingleSpanKind, SpanStatus
from .span_samples import (
    NAME_CHARACTERS,
    RunningSpan,
    Samples,
    SpanSample,
    sample_of_running,
    short,
)

BUCKET_FLOORS_NS = (0, *(10**exponent for exponent in range(4, 12)))
"""Where each bucket of durations begins: 0, 10 µs, 100 µs, and so on up to 100 s."""

MAX_NAMES = 100
OTHER_NAMES = "(other names)"

MAX_ERROR_KINDS = 7
OTHER_KINDS = "(other kinds)"

BUCKET_SAMPLES = 4
ERROR_SAMPLES = 4
RUNNING_SAMPLES = 10

MAX_RUNNING = 4096
"""So many are shown as running at once, as far as anybody can tell."""

MAX_BYTES = 64 * 2**20
"""What it takes at most, where every name fails in every way, with text in the widest letters."""

_KINDS = ("error.type", "http.response.status_code", "rpc.grpc.status_code")
_REMOTE = (SingleSpanKind.SERVER, SingleSpanKind.CLIENT)


@define
class SpanErrors:
    """Spans of one name that failed in one way."""

    count: int = 0
    samples: Samples = field(factory=lambda: Samples(ERROR_SAMPLES))


@define
class SpanBucket:
    """Spans of one name that did not fail, and took about as long."""

    count: int = 0
    samples: Samples = field(factory=lambda: Samples(BUCKET_SAMPLES))


@define
class SpanName:
    """What is known of all spans of one name.

    `buckets` are as `BUCKET_FLOORS_NS`; who failed is in `errors` only, by how.
    """

    name: str
    running: dict[bytes, RunningSpan] = field(factory=dict)
    buckets: list[SpanBucket] = field(factory=lambda: [SpanBucket() for _ in BUCKET_FLOORS_NS])
    errors: dict[str, SpanErrors] = field(factory=dict)

    @property
    def ended(self) -> int:
        """Count those that are over."""
        return sum(one.count for one in self.buckets) + self.failed

    @property
    def failed(self) -> int:
        """Count those that failed."""
        return sum(one.count for one in self.errors.values())

    def add(self, span: SingleSpan) -> None:
        """Count a span that is over."""
        kept: SpanErrors | SpanBucket
        error = None
        if span.status is SpanStatus.ERROR:
            error = self._kind(error_kind(span))
            kept = self.errors.setdefault(error, SpanErrors())
        else:
            duration_ns = span.ended_ns - span.started_ns
            kept = self.buckets[max(0, bisect_right(BUCKET_FLOORS_NS, duration_ns) - 1)]
        kept.count += 1
        kept.samples.add(span, error=error)

    def longest_running(self, now_ns: int) -> Sequence[SpanSample]:
        """Show those that have been running longest."""
        longest = nsmallest(RUNNING_SAMPLES, self.running.values(), key=lambda one: one.started_ns)
        return [sample_of_running(one, now_ns) for one in longest]

    def samples(self, now_ns: int) -> Iterator[SpanSample]:
        """Show all that is kept: who runs, who failed, and the rest by how long it took."""
        yield from self.longest_running(now_ns)
        for failed in self.errors.values():
            yield from failed.samples.newest_first()
        for bucket in self.buckets:
            yield from bucket.samples.newest_first()

    def _kind(self, kind: str) -> str:
        known = kind in self.errors or len(self.errors) < MAX_ERROR_KINDS
        return kind if known else OTHER_KINDS


@define
class SpanBook:
    """Counts spans as they begin and end, from `since_ns` (nanoseconds since 1970) on."""

    since_ns: int = 0
    _names: dict[str, SpanName] = field(factory=dict)
    _running: dict[bytes, SpanName] = field(factory=dict)
    _calls: CallStatistics = field(factory=CallStatistics)

    @property
    def names(self) -> Mapping[str, SpanName]:
        """All that is known, by the name of spans."""
        return self._names

    @property
    def calls(self) -> CallStatistics:
        """Requests that were answered, and those that were made."""
        return self._calls

    def began(self, span: RunningSpan) -> None:
        """Show a span as running, until it has ended."""
        if len(self._running) >= MAX_RUNNING:
            return
        name = self._name(span.name)
        name.running[span.context.span_id] = span
        self._running[span.context.span_id] = name

    def ended(self, span: SingleSpan) -> None:
        """Count a span that is over, whether or not it was seen to begin."""
        name = self._running.pop(span.span_id, None)
        if name is not None:
            del name.running[span.span_id]
        self._name(span.name).add(span)
        if span.kind in _REMOTE:
            self._calls.add(span)

    def _name(self, name: str) -> SpanName:
        name = short(name, NAME_CHARACTERS)
        if name not in self._names:
            name = name if len(self._names) < MAX_NAMES else OTHER_NAMES
            self._names.setdefault(name, SpanName(name))
        return self._names[name]


def error_kind(span: SingleSpan) -> str:
    """Say in a word how a span failed, as far as its attributes do; else it is `error`."""
    found = next((span.attributes[key] for key in _KINDS if key in span.attributes), "error")
    return short(str(found), NAME_CHARACTERS)
