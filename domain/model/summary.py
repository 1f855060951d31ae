"""What a session's spans come to: per container and name how many, how many failed, how long."""

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from attrs import define, field, frozen

from .distribution import Distributions, percentiles
from .pod import Container, ContainerKey
from .spans import Int64, SpanBatch, SpanKind, SpanOutcome
from .stats import SessionStats

MAX_CALLS = 4096
"""So many pairs of container and name have a row of their own; the rest share one."""

OTHER = "(other)"
"""The name of the row they share; it is of no container."""

ENDED = Container(name="(ended)", pod="")
"""It has the rows of all containers that ended so long ago that they have none of their own."""

MAX_ENDED = 256
"""So many containers that ended keep rows of their own, those that ended last."""

PERCENTS = (50, 95, 99)

Key: TypeAlias = tuple[ContainerKey, str]

_COLUMNS = ("_count", "_errors", "_incomplete", "_total", "_max")

_NOBODY = Container(name="", pod="")


@frozen(kw_only=True)
class CallSummary:
    """All spans of one name of one container.

    `count` are all of them, `errors` those that failed, `incomplete` those an end of which was
    not seen. Total, percentiles and maximum are of those that returned; all but the percentiles
    are exact. `buckets` counts durations by `distribution.bucket_of`.
    """

    container: Container
    name: str
    count: int
    errors: int
    incomplete: int
    total_ns: int
    p50_ns: int
    p95_ns: int
    p99_ns: int
    max_ns: int
    buckets: Mapping[int, int]


def _column() -> Int64:
    return np.zeros(0, dtype=np.int64)


@define(eq=False)
class Summary:
    """Adds up spans; memory grows with the pairs of container and name seen, and only so.

    Containers may come and go: of those that were closed, the older ones become one.
    It is not safe for threads. Of two summaries neither of which is full, it makes no difference
    which is merged into which.
    """

    max_calls: int = MAX_CALLS
    _rows: dict[Key, int] = field(factory=dict)
    _names: list[tuple[Container, str]] = field(factory=lambda: [(_NOBODY, OTHER)])
    _count: Int64 = field(factory=_column)
    _errors: Int64 = field(factory=_column)
    _incomplete: Int64 = field(factory=_column)
    _total: Int64 = field(factory=_column)
    _max: Int64 = field(factory=_column)
    _durations: Distributions = field(factory=Distributions)
    _closed: dict[ContainerKey, None] = field(factory=dict)
    _containers: Sequence[Container] = ()
    _kinds: Sequence[SpanKind] = ()
    _row_of: Int64 = field(factory=lambda: np.zeros((0, 0), dtype=np.int64))

    @property
    def spans(self) -> int:
        """Count all spans."""
        return int(self._count.sum())

    @property
    def incomplete(self) -> int:
        """Count the spans an end of which was not seen."""
        return int(self._incomplete.sum())

    @property
    def nbytes(self) -> int:
        """Memory held by the numbers, in bytes."""
        columns = [self._row_of, *(getattr(self, name) for name in _COLUMNS)]
        return sum(int(one.nbytes) for one in columns) + self._durations.nbytes

    def add(self, batch: SpanBatch) -> None:
        """Count spans."""
        if not len(batch):
            return
        row = self._rows_of(batch)
        self._tally(self._count, row)
        self._tally(self._errors, row[batch.failed])
        duration = np.maximum(batch.end_ns - batch.start_ns, 0)
        if batch.outcome.any():
            self._tally(self._incomplete, row[batch.outcome >= SpanOutcome.BEGAN_BEFORE])
            returned = batch.outcome == SpanOutcome.RETURNED
            row, duration = row[returned], duration[returned]
        np.add.at(self._total, row, duration)
        np.maximum.at(self._max, row, duration)
        self._durations.add(row, duration)

    def merge(self, other: "Summary") -> None:
        """Add what another has counted."""
        for call in other.calls():
            row = self._row(call.container, call.name) if call.name != OTHER else 0
            self._grow()
            self._count[row] += call.count
            self._errors[row] += call.errors
            self._incomplete[row] += call.incomplete
            self._total[row] += call.total_ns
            self._max[row] = max(int(self._max[row]), call.max_ns)
            self._durations.merge(row, call.buckets)

    def copy(self) -> "Summary":
        """Return one that goes its own way."""
        return Summary(
            max_calls=self.max_calls,
            rows=dict(self._rows),
            names=list(self._names),
            count=self._count.copy(),
            errors=self._errors.copy(),
            incomplete=self._incomplete.copy(),
            total=self._total.copy(),
            max=self._max.copy(),
            durations=self._durations.copy(),
            closed=dict(self._closed),
        )

    def close(self, container: Container) -> None:
        """Note that a container ended; should there be too many such, the older half is folded."""
        self._closed.pop(container.key, None)
        self._closed[container.key] = None
        if len(self._closed) > MAX_ENDED or len(self._rows) > self.max_calls // 2:
            older = set(list(self._closed)[: -(-len(self._closed) // 2)])
            self._closed = {key: None for key in self._closed if key not in older}
            self._fold(older)

    def reopen(self, container: Container) -> None:
        """Note that a container runs, whether or not it was closed before."""
        self._closed.pop(container.key, None)

    def calls(self) -> list[CallSummary]:
        """Return a row for each container and name seen, those first that took longest in all."""
        seen = np.flatnonzero(self._count).tolist()
        rows = [self._call(row) for row in seen]
        return sorted(rows, key=lambda one: (-one.total_ns, -one.count))

    def _call(self, row: int) -> CallSummary:
        container, name = self._names[row]
        bucket, count = self._durations.of(row)
        longest = int(self._max[row])
        p50, p95, p99 = (min(one, longest) for one in percentiles(bucket, count, PERCENTS))
        return CallSummary(
            container=container,
            name=name,
            count=int(self._count[row]),
            errors=int(self._errors[row]),
            incomplete=int(self._incomplete[row]),
            total_ns=int(self._total[row]),
            p50_ns=p50,
            p95_ns=p95,
            p99_ns=p99,
            max_ns=longest,
            buckets=dict(zip(bucket.tolist(), count.tolist(), strict=True)),
        )

    def _fold(self, keys: Collection[ContainerKey]) -> None:
        """Make the rows of containers part of those of `ENDED`, one for each name."""
        names = [(ENDED if one.key in keys else one, name) for one, name in self._names]
        if names == self._names:
            return
        self._rows, self._names = {}, names[:1]
        target = np.array([0, *(self._row(*one) for one in names[1:])], dtype=np.int64)
        for name in _COLUMNS:
            column, operation = getattr(self, name), np.maximum if name == "_max" else np.add
            grouped = np.zeros_like(column)
            operation.at(grouped, target, column[: len(target)])
            setattr(self, name, grouped)
        self._durations.regroup(target, len(self._count))
        self._row_of = np.where(self._row_of < 0, -1, target[self._row_of])

    def _tally(self, column: Int64, row: Int64) -> None:
        if len(row):
            column += np.bincount(row, minlength=len(column))

    # Which row a pair has.

    def _rows_of(self, batch: SpanBatch) -> Int64:
        self._know(batch)
        row: Int64 = self._row_of[batch.container, batch.kind]
        if int(row.min()) < 0:
            new = row < 0
            pairs = np.stack([batch.container[new], batch.kind[new]])
            for container, kind in np.unique(pairs, axis=1).T.tolist():
                self._row_of[container, kind] = self._row(
                    batch.containers[container], batch.kinds[kind].name
                )
            self._grow()
            row = self._row_of[batch.container, batch.kind]
        return row

    def _know(self, batch: SpanBatch) -> None:
        """See to it that every pair of a batch's numbers has a place, if only with -1 in it."""
        known = self._row_of
        if batch.containers is not self._containers or batch.kinds is not self._kinds:
            self._containers, self._kinds = batch.containers, batch.kinds
            known = np.zeros((0, len(batch.kinds)), dtype=np.int64)
        elif len(known) == len(batch.containers):  # a source finds more while it lives
            return
        self._row_of = np.full((len(batch.containers), len(batch.kinds)), -1, dtype=np.int64)
        self._row_of[: len(known)] = known

    def _row(self, container: Container, name: str) -> int:
        key = (container.key, name)
        row = self._rows.get(key)
        if row is None:
            if len(self._rows) >= self.max_calls:
                return 0
            row = self._rows[key] = len(self._names)
            self._names.append((container, name))
        return row

    def _grow(self) -> None:
        if len(self._count) >= len(self._names):
            return
        rows = max(16, 2 * len(self._names))
        for name in _COLUMNS:
            column = getattr(self, name)
            setattr(self, name, np.concatenate([column, np.zeros(rows - len(column), np.int64)]))
        self._durations.grow(rows)


@frozen(kw_only=True)
class RunSummary:
    """What one run of a session came to, so far or in the end; both halves are of one moment.

    Times are wall-clock nanoseconds, 0 if it has not run yet.
    """

    started_ns: int
    until_ns: int
    statistics: SessionStats
    summary: Summary
