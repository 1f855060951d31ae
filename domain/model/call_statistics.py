"""Requests by method: how many, how long and how large, lately and in all."""

from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from operator import add

from attrs import define, field, frozen

from .single_span import AttributeMap, SingleSpan, SingleSpanKind, SpanStatus
from .span_samples import NAME_CHARACTERS, short

MAX_METHODS = 100
OTHER_METHODS = "(other methods)"

MINUTE_NS = 60 * 10**9
HOUR_NS = 60 * MINUTE_NS
PIECES = 12
"""A window is made of so many pieces, the latest of which is not over yet."""

PERCENTS = (50, 95, 99)

RELATIVE_ERROR = 0.0625
"""No percentile is off by more, as a share of itself, from 8 µs to two minutes."""

_PART_BITS = 3
_PARTS = 1 << _PART_BITS
_FIRST_BITS = 13
_OCTAVES = 24

REQUEST_SIZE, RESPONSE_SIZE = "http.request.body.size", "http.response.body.size"
"""The attributes of spans that say how large a body is, in bytes."""


def _no_durations() -> "array[int]":
    return array("Q", bytes(8 * (_OCTAVES * _PARTS + 1)))


@define
class _Call:
    """What is counted of a request."""

    failed: bool
    duration_ns: int
    bucket: int
    received_bytes: int
    sent_bytes: int


@define
class CallTally:
    """What requests come to; bytes are those of bodies, where they are known.

    `durations` counts them by `_bucket`.
    """

    count: int = 0
    errors: int = 0
    total_ns: int = 0
    max_ns: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0
    durations: "array[int]" = field(factory=_no_durations)

    def add(self, call: _Call) -> None:
        """Count a request that is over."""
        self.count += 1
        self.errors += call.failed
        self.total_ns += call.duration_ns
        self.max_ns = max(self.max_ns, call.duration_ns)
        self.received_bytes += call.received_bytes
        self.sent_bytes += call.sent_bytes
        self.durations[call.bucket] += 1

    def merge(self, other: "CallTally") -> None:
        """Add what another counted."""
        self.count += other.count
        self.errors += other.errors
        self.total_ns += other.total_ns
        self.max_ns = max(self.max_ns, other.max_ns)
        self.received_bytes += other.received_bytes
        self.sent_bytes += other.sent_bytes
        self.durations = array("Q", map(add, self.durations, other.durations))

    def percentiles(self) -> tuple[int, ...]:
        """Return what so many of `PERCENTS` of all did not exceed, in nanoseconds; of none, 0."""
        return tuple(self._percentile(percent) for percent in PERCENTS)

    def _percentile(self, percent: int) -> int:
        rank, seen = -(-percent * self.count // 100), 0
        for bucket, count in enumerate(self.durations):
            seen += count
            if count and seen >= rank:
                return min(_middle(bucket), self.max_ns)
        return 0


@frozen(kw_only=True)
class CallWindow:
    """What requests came to in some time that has passed, in nanoseconds."""

    passed_ns: int
    tally: CallTally


@define
class _Lately:
    """Tallies of the latest pieces of time, each with its number."""

    window_ns: int
    _pieces: deque[tuple[int, CallTally]] = field(factory=lambda: deque(maxlen=PIECES))

    def add(self, call: _Call, ended_ns: int) -> None:
        """Count a request that is over; should the clock be set back, in the latest piece."""
        number = self._number(ended_ns)
        if not self._pieces or self._pieces[-1][0] < number:
            self._pieces.append((number, CallTally()))
        self._pieces[-1][1].add(call)

    def until(self, now_ns: int, *, since_ns: int) -> CallWindow:
        """Add up what is in the window, which nothing was before `since_ns`."""
        first = self._number(now_ns) - PIECES + 1
        tally = CallTally()
        for number, piece in self._pieces:
            if number >= first:
                tally.merge(piece)
        started_ns = max(since_ns, first * self.window_ns // PIECES)
        return CallWindow(passed_ns=max(1, now_ns - started_ns), tally=tally)

    def _number(self, time_ns: int) -> int:
        return time_ns * PIECES // self.window_ns


@define
class CallMethod:
    """All requests of one name, on one side."""

    kind: SingleSpanKind
    name: str
    ever: CallTally = field(factory=CallTally)
    _minute: _Lately = field(factory=lambda: _Lately(MINUTE_NS))
    _hour: _Lately = field(factory=lambda: _Lately(HOUR_NS))

    def add(self, span: SingleSpan) -> None:
        """Count a request that is over."""
        call = _call(span)
        self.ever.add(call)
        self._minute.add(call, span.ended_ns)
        self._hour.add(call, span.ended_ns)

    def windows(self, now_ns: int, *, since_ns: int) -> Mapping[str, CallWindow]:
        """Tell what came of the last minute, the last hour, and of all since the beginning."""
        return {
            "minute": self._minute.until(now_ns, since_ns=since_ns),
            "hour": self._hour.until(now_ns, since_ns=since_ns),
            "total": CallWindow(passed_ns=max(1, now_ns - since_ns), tally=self.ever),
        }


@define
class CallStatistics:
    """Requests that were answered (`server`) and made (`client`), by name."""

    _methods: dict[tuple[SingleSpanKind, str], CallMethod] = field(factory=dict)

    def add(self, span: SingleSpan) -> None:
        """Count a request that is over."""
        key = span.kind, short(span.name, NAME_CHARACTERS)
        if key not in self._methods:
            key = key if len(self._methods) < MAX_METHODS else (span.kind, OTHER_METHODS)
            self._methods.setdefault(key, CallMethod(*key))
        self._methods[key].add(span)

    def of(self, kind: SingleSpanKind) -> Sequence[CallMethod]:
        """Return the methods of one side, by name."""
        return sorted(
            (one for one in self._methods.values() if one.kind is kind), key=lambda one: one.name
        )


def _call(span: SingleSpan) -> _Call:
    duration_ns = max(0, span.ended_ns - span.started_ns)
    request = _size(span.attributes, REQUEST_SIZE)
    response = _size(span.attributes, RESPONSE_SIZE)
    server = span.kind is SingleSpanKind.SERVER
    return _Call(
        failed=span.status is SpanStatus.ERROR,
        duration_ns=duration_ns,
        bucket=_bucket(duration_ns),
        received_bytes=request if server else response,
        sent_bytes=response if server else request,
    )


def _size(attributes: AttributeMap, key: str) -> int:
    found = attributes.get(key, 0)
    return found if isinstance(found, int) and found > 0 else 0


def _bucket(duration_ns: int) -> int:
    """Return which eighth of a power of two a duration is in; below 8 µs is 0."""
    octave = duration_ns.bit_length() - _FIRST_BITS - 1
    if octave < 0:
        return 0
    part = (duration_ns >> (octave + _FIRST_BITS - _PART_BITS)) & (_PARTS - 1)
    return min(octave * _PARTS + part + 1, _OCTAVES * _PARTS)


def _middle(bucket: int) -> int:
    if bucket == 0:
        return (1 << _FIRST_BITS) // 2
    octave, part = divmod(bucket - 1, _PARTS)
    width = 1 << (octave + _FIRST_BITS - _PART_BITS)
    return (_PARTS + part) * width + width // 2
