"""Batches of spans, written span by span."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from attrs import evolve, frozen

from ..domain.model.pod import Container
from ..domain.model.spans import SpanArgument, SpanBatch, SpanKind, SpanOutcome

T = TypeVar("T")

NOON_NS = 1_714_564_800_000_000_000
"""2024-05-01T12:00:00Z."""

WEB = Container(name="nginx", pod="web-0", namespace="shop", container_id="c0ffee")
LONE = Container(name="builder", pod="builder")


def signed(bits: int) -> int:
    """Read 64 raw bits as a signed number."""
    return bits - 2**64 if bits >= 2**63 else bits


READ = SpanKind(
    "read",
    (
        SpanArgument("fd", "unsigned int", int),
        SpanArgument("buf", "char *", hex),
        SpanArgument("count", "size_t", int),
    ),
)
OPENAT = SpanKind(
    "openat",
    (
        SpanArgument("dfd", "int", signed),
        SpanArgument("flags", "int", lambda bits: "O_WRONLY|O_CREAT" if bits else "O_RDONLY"),
    ),
)
GETPID = SpanKind("getpid")
SWITCH = SpanKind('odd "name"\n', (SpanArgument('odd "argument"', "long", int),), category="sched")


@frozen(kw_only=True)
class FakeSpan:
    """One span. `arguments` of None: not entered; `result` of None: not returned."""

    start_ns: int = NOON_NS
    duration_ns: int = 1_500
    pid: int = 100
    tid: int = 101
    command: str = "nginx"
    container: Container = WEB
    kind: SpanKind = READ
    arguments: tuple[int, ...] | None = (3, 0x7FFE_0000_1000, 4096)
    result: int | None = 0
    outcome: SpanOutcome = SpanOutcome.RETURNED


def span_batch(*spans: FakeSpan) -> SpanBatch:
    """Turn spans into columns, in the order given."""
    commands = _distinct(spans, lambda span: span.command)
    containers = _distinct(spans, lambda span: span.container)
    kinds = _distinct(spans, lambda span: span.kind)
    arguments = np.zeros((len(spans), 6), np.uint64)
    for row, span in enumerate(spans):
        arguments[row, : len(span.arguments or ())] = span.arguments or ()
    return SpanBatch(
        start_ns=np.array([span.start_ns for span in spans], np.int64),
        end_ns=np.array([span.start_ns + span.duration_ns for span in spans], np.int64),
        tid=np.array([span.tid for span in spans], np.int32),
        pid=np.array([span.pid for span in spans], np.int32),
        command=np.array([commands.index(span.command) for span in spans], np.int32),
        container=np.array([containers.index(span.container) for span in spans], np.int32),
        kind=np.array([kinds.index(span.kind) for span in spans], np.int32),
        arguments=arguments,
        result=np.array([span.result or 0 for span in spans], np.int64),
        outcome=np.array([span.outcome for span in spans], np.uint8),
        entered=np.array([span.arguments is not None for span in spans], np.bool_),
        returned=np.array([span.result is not None for span in spans], np.bool_),
        commands=commands,
        containers=containers,
        kinds=kinds,
    )


def many_spans(count: int) -> SpanBatch:
    """Build ordinary spans, a microsecond apart, that differ as in life."""
    one = span_batch(
        FakeSpan(),
        FakeSpan(kind=OPENAT, arguments=(2**64 - 100, 0), result=-2, command="sh", pid=7, tid=7),
        FakeSpan(kind=GETPID, arguments=(), result=100, container=LONE, pid=9, tid=9),
    )
    batch = one.take(np.arange(count) % len(one))
    start = NOON_NS + 1_001 * np.arange(count)
    arguments = batch.arguments.copy()
    arguments[:, 2] = np.arange(count)
    return evolve(batch, start_ns=start, end_ns=start + 700, arguments=arguments)


AWKWARD_SPANS: Sequence[FakeSpan] = (
    FakeSpan(kind=OPENAT, arguments=(2**64 - 100, 0), result=-2),
    FakeSpan(arguments=(2**32 - 1, 2**64 - 1, 2**64 - 1), result=-(2**63)),
    FakeSpan(result=-4095, duration_ns=0),
    FakeSpan(result=-4096),
    FakeSpan(result=-512, command='quote " backslash \\ tab \t line\nend'),
    FakeSpan(command="\x1b]0;owned\x07\x1b[2J"),
    FakeSpan(command="caf\xe9 \u4f60\u597d \U0001f600"),
    FakeSpan(command="not utf-8: \udcff\udc80"),
    FakeSpan(kind=GETPID, arguments=(), result=100, container=LONE, command=""),
    FakeSpan(kind=SWITCH, arguments=(2**63,), start_ns=NOON_NS + 1, duration_ns=10**13 + 1),
    FakeSpan(result=None, outcome=SpanOutcome.NEVER_RETURNS),
    FakeSpan(arguments=None, outcome=SpanOutcome.BEGAN_BEFORE),
    FakeSpan(result=None, outcome=SpanOutcome.UNFINISHED),
    FakeSpan(result=None, outcome=SpanOutcome.TASK_ENDED),
    FakeSpan(result=None, outcome=SpanOutcome.LOST),
    FakeSpan(arguments=None, result=-2, outcome=SpanOutcome.NO_MATCH),
    FakeSpan(arguments=None, outcome=SpanOutcome.CHILD_RETURN, pid=2**22, tid=2**22),
)
"""Every outcome, extreme numbers, and text that wants to be more than text."""


def awkward_batch() -> SpanBatch:
    """Build a batch of everything that is easily got wrong."""
    return span_batch(*AWKWARD_SPANS)


def _distinct(spans: Sequence[FakeSpan], attribute: Callable[[FakeSpan], T]) -> list[T]:
    # Containers hold mappings, so they cannot be the keys of a dict.
    found: list[T] = []
    for span in spans:
        if attribute(span) not in found:
            found.append(attribute(span))
    return found
