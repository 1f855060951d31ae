"""Spans in columns: what leaves the pipeline and enters an exporter."""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, TypeAlias, TypeVar

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from .pod import Container

Int64: TypeAlias = NDArray[np.int64]
Int32: TypeAlias = NDArray[np.int32]
UInt64: TypeAlias = NDArray[np.uint64]
UInt8: TypeAlias = NDArray[np.uint8]
Bools: TypeAlias = NDArray[np.bool_]
T = TypeVar("T", bound=np.generic)


def chosen(column: NDArray[T], rows: NDArray[Any] | slice) -> NDArray[T]:
    """Return the rows of a column, given by a slice, their numbers, or a mask.

    Plain indexing takes the rows of a matrix element by element: others are five times as quick,
    but `take` first copies a matrix that has gaps.
    """
    if isinstance(rows, slice) or column.ndim == 1:
        picked: NDArray[T] = column[rows]
    elif rows.dtype == np.bool_:
        picked = column.compress(rows, axis=0)
    elif column.flags.c_contiguous or 4 * len(rows) > len(column):
        picked = column.take(rows, axis=0)
    else:
        picked = column[rows]
    return picked


MAX_ERRNO = 4095
"""Results from -MAX_ERRNO to -1 are errors (include/linux/err.h)."""


class SpanOutcome(IntEnum):
    """How a span came to its end; everything from `BEGAN_BEFORE` on is incomplete."""

    RETURNED = 0
    NEVER_RETURNS = 1
    BEGAN_BEFORE = 2
    UNFINISHED = 3
    TASK_ENDED = 4
    LOST = 5
    NO_MATCH = 6
    CHILD_RETURN = 7

    @property
    def incomplete(self) -> bool:
        """Tell whether one end of the span was not seen."""
        return self >= SpanOutcome.BEGAN_BEFORE

    @property
    def explanation(self) -> str:
        """Say what a person should know about a span that is not an ordinary one."""
        return _EXPLANATIONS[self]


_EXPLANATIONS = {
    SpanOutcome.RETURNED: "",
    SpanOutcome.NEVER_RETURNS: "this call does not return",
    SpanOutcome.BEGAN_BEFORE: "began before the trace",
    SpanOutcome.UNFINISHED: "had not returned when the trace ended",
    SpanOutcome.TASK_ENDED: "the task ended inside the call",
    SpanOutcome.LOST: "events were lost inside the call",
    SpanOutcome.NO_MATCH: "its other end was not recorded",
    SpanOutcome.CHILD_RETURN: "first return of a new task",
}


@frozen
class SpanArgument:
    """One argument of a kind of span; `render` turns its 64 raw bits into what a person reads."""

    name: str
    type_name: str
    render: Callable[[int], int | str]


@frozen
class SpanKind:
    """What all spans of a name have in common; `result_text` shows a result that is no error."""

    name: str
    arguments: tuple[SpanArgument, ...] = ()
    category: str = "syscall"
    result_text: Callable[[int], str] = str


@frozen(kw_only=True, eq=False)
class SpanBatch:
    """Spans of one session in columns, all of length n, in order of their end.

    - `start_ns`, `end_ns`: int64, wall clock
    - `tid`, `pid`: int32, of the host
    - `command`, `container`, `kind`: int32, indices into the tables of the same name
    - `arguments`: uint64, shape (n, 6), raw bits, meaningful where `entered`
    - `result`: int64, meaningful where `returned`
    - `outcome`: uint8, values of `SpanOutcome`
    - `entered`, `returned`: bool, which of its kernel events each span is made of
    """

    start_ns: Int64
    end_ns: Int64
    tid: Int32
    pid: Int32
    command: Int32
    container: Int32
    kind: Int32
    arguments: UInt64
    result: Int64
    outcome: UInt8
    entered: Bools
    returned: Bools
    commands: Sequence[str] = ()
    containers: Sequence[Container] = ()
    kinds: Sequence[SpanKind] = ()

    def __len__(self) -> int:
        """Count the spans."""
        return len(self.start_ns)

    @property
    def events(self) -> int:
        """Count the kernel events all these spans were made of."""
        return int(np.count_nonzero(self.entered)) + int(np.count_nonzero(self.returned))

    @property
    def failed(self) -> Bools:
        """Tell which calls returned an error."""
        failed: Bools = self.returned & (self.result < 0) & (self.result >= -MAX_ERRNO)
        return failed

    @property
    def nbytes(self) -> int:
        """Memory held by the columns, in bytes."""
        return sum(getattr(self, name).nbytes for name in COLUMNS)

    def take(self, rows: Int64 | Bools | slice) -> "SpanBatch":
        """Return the chosen spans; the tables are shared."""
        columns = {name: chosen(getattr(self, name), rows) for name in COLUMNS}
        return SpanBatch(
            **columns, commands=self.commands, containers=self.containers, kinds=self.kinds
        )

    def copy(self) -> "SpanBatch":
        """Return the same spans in memory of their own."""
        return evolve(self, **{name: getattr(self, name).copy() for name in COLUMNS})

    def shares_tables(self, other: "SpanBatch") -> bool:
        """Tell whether the numbers of both mean the same."""
        return (
            self.commands is other.commands
            and self.containers is other.containers
            and self.kinds is other.kinds
        )

    @classmethod
    def join(cls, batches: Sequence["SpanBatch"]) -> "SpanBatch":
        """Put batches that share their tables one after the other; there is at least one."""
        first = batches[0]
        if len(batches) == 1:
            return first
        columns = {
            name: np.concatenate([getattr(one, name) for one in batches]) for name in COLUMNS
        }
        return cls(
            **columns, commands=first.commands, containers=first.containers, kinds=first.kinds
        )


COLUMNS = tuple(
    name for name, kind in SpanBatch.__annotations__.items() if "Sequence" not in str(kind)
)


@frozen(kw_only=True)
class SpanFilter:
    """Which spans a session wants.

    `names` of None means all; `min_duration_ns` looks at the known part of an incomplete span;
    `errors_only` keeps only calls known to have failed.
    """

    names: frozenset[str] | None = None
    min_duration_ns: int = 0
    errors_only: bool = False

    def keep(self, batch: SpanBatch) -> Bools:
        """Tell which spans pass."""
        kept: Bools = batch.outcome != SpanOutcome.CHILD_RETURN
        if self.names is not None:
            wanted = np.array([kind.name in self.names for kind in batch.kinds], dtype=np.bool_)
            kept &= wanted[batch.kind]
        if self.min_duration_ns:
            kept &= batch.end_ns - batch.start_ns >= self.min_duration_ns
        if self.errors_only:
            kept &= batch.failed
        return kept
