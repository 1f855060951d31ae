"""What encoding spans as OTLP costs on this machine: one core, batches as a queue gives them.

    python bench/encoding.py [--profile]

Batches have 8,192 spans. `getppid` is one call without arguments; `mix` is what a server does,
with errors, several tasks and two containers. The median of many rounds is told.
"""

import argparse
import cProfile
import gzip
import os
import platform
import pstats
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np

from container_tracer.adapters.otlp.encoding import SpanEncoder
from container_tracer.domain.model.event_format import parse_event_format
from container_tracer.domain.model.pod import Container
from container_tracer.domain.model.span_attributes import ServiceResource
from container_tracer.domain.model.spans import SpanBatch, SpanKind
from container_tracer.domain.model.syscalls import SyscallTable
from container_tracer.domain.model.traces import SessionTrace, TracedBatch, cut

SPANS = 8_192
ROUNDS = 150
FORMATS = Path(__file__).parents[1] / "tests/data/linux-6.18-x86_64/formats.txt.gz"
NOON_NS = 1_714_564_800_000_000_000
SESSION = SessionTrace.of("1", started_ns=NOON_NS, name="bench", attributes={"node": "n1"})
RESOURCE = ServiceResource(service_version="1", host_name="host", node="n1")
CONTAINERS = [
    Container(
        name=f"c{i}", pod=f"web-{i}", namespace="shop", pod_uid=f"u{i}", container_id="f" * 64
    )
    for i in range(2)
]
MIX = {
    "read": (0.25, (9, None, 4096), (512, -11)),
    "write": (0.2, (9, None, 700), (700,)),
    "close": (0.12, (9,), (0,)),
    "futex": (0.15, (None, 128, 2, 0, 0, 2**32 - 1), (0, -110, -11)),
    "openat": (0.1, (2**64 - 100, None, 0o2000000, 0o644), (9, -2)),
    "mmap": (0.06, (0, 2**16, 3, 0x22, 2**64 - 1, 0), (0x7F1234567000,)),
    "newfstatat": (0.06, (2**64 - 100, None, None, 0x100), (0, -2)),
    "epoll_wait": (0.06, (5, None, 128, 2**64 - 1), (1, 2)),
}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--profile", action="store_true", help="show where the time goes")
    profile = asked.parse_args().profile
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(f"{platform.machine()}, Linux {platform.release()}, numpy {np.__version__}")
    print(f"{'batch of 8,192':<28}{'ns/span':>10}{'spans/s':>12}{'bytes/span':>12}{'gzip -1':>10}")
    kinds = recorded_kinds()
    for name, batch in {
        "getppid, 1 task": getppids(kinds, tasks=1),
        "getppid, 100 tasks": getppids(kinds, tasks=100),
        "mix, 4 tasks": mixed(kinds, tasks=4),
        "mix, 100 tasks": mixed(kinds, tasks=100),
        "every call of the kernel": everything(kinds),
        "getppid, 8,192 tasks": getppids(kinds, tasks=SPANS),
    }.items():
        encoder, traced = SpanEncoder(RESOURCE), cut(batch, SESSION)
        show(name, partial(encoder.spans, traced, SESSION))
        if profile:
            show_profile(partial(encoder.spans, traced, SESSION))
    encoder, batches = SpanEncoder(RESOURCE), iter(count(0, SPANS))
    show("flags never seen before", lambda: encoder.spans(odd_flags(kinds, next(batches)), SESSION))
    show("cutting into slices (mix)", partial(cut, mixed(kinds, tasks=4), SESSION))


def show(name: str, work: Callable[[], object]) -> None:
    work()
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter_ns()
        made = work()
        took.append((time.perf_counter_ns() - began) / SPANS)
    ns = statistics.median(took)
    data = b"".join(one.data for one in made) if isinstance(made, list) else b""
    packed = len(gzip.compress(data, 1)) / SPANS if data else 0
    print(f"{name:<28}{ns:>10.0f}{1e9 / ns:>12,.0f}{len(data) / SPANS:>12.1f}{packed:>10.1f}")


def show_profile(work: Callable[[], object]) -> None:
    with cProfile.Profile() as profiler:
        for _ in range(ROUNDS):
            work()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(18)


def recorded_kinds() -> Sequence[SpanKind]:
    texts = gzip.decompress(FORMATS.read_bytes()).decode().split("### ")[1:]
    parts = (text.partition("\n") for text in texts if text.startswith("syscalls:"))
    return SyscallTable.of({name: parse_event_format(body) for name, _, body in parts}).kinds


def spans(kinds: Sequence[SpanKind], kind: "np.typing.NDArray[np.int32]", tasks: int) -> SpanBatch:
    row = np.arange(len(kind))
    task = (row % tasks).astype(np.int32)
    start = NOON_NS + 1_000 * row
    return SpanBatch(
        start_ns=start,
        end_ns=start + 700,
        tid=4_000 + task,
        pid=4_000 + task,
        command=task % 3,
        container=task % 2,
        kind=kind,
        arguments=np.zeros((len(kind), 6), np.uint64),
        result=row % 5_000,
        outcome=np.zeros(len(kind), np.uint8),
        entered=np.ones(len(kind), np.bool_),
        returned=np.ones(len(kind), np.bool_),
        commands=["nginx", "php-fpm", "redis-server"],
        containers=CONTAINERS,
        kinds=kinds,
    )


def getppids(kinds: Sequence[SpanKind], tasks: int) -> SpanBatch:
    number = [kind.name for kind in kinds].index("getppid")
    return spans(kinds, np.full(SPANS, number, np.int32), tasks)


def mixed(kinds: Sequence[SpanKind], tasks: int) -> SpanBatch:
    """Addresses (None above) differ from call to call, other arguments little."""
    random = np.random.default_rng(1)
    names = [kind.name for kind in kinds]
    numbers = [names.index(name) for name in MIX]
    shares = [share for share, _, _ in MIX.values()]
    batch = spans(kinds, random.choice(numbers, SPANS, p=shares).astype(np.int32), tasks)
    for number, (_, arguments, results) in zip(numbers, MIX.values(), strict=True):
        rows = np.flatnonzero(batch.kind == number)
        batch.result[rows] = random.choice(results, len(rows))
        for place, bits in enumerate(arguments):
            addresses = random.integers(0x7F00_0000_0000, 0x7FFF_FFFF_FFFF, len(rows), np.uint64)
            batch.arguments[rows, place] = addresses if bits is None else np.uint64(bits)
    return batch


def odd_flags(kinds: Sequence[SpanKind], first: int) -> TracedBatch:
    """What a container can do to make encoding dear: text that was never there before."""
    number = [kind.name for kind in kinds].index("openat")
    batch = spans(kinds, np.full(SPANS, number, np.int32), 1)
    batch.arguments[:, 2] = first + np.arange(SPANS)
    return cut(batch, SESSION)


def everything(kinds: Sequence[SpanKind]) -> SpanBatch:
    batch = spans(kinds, (np.arange(SPANS) % len(kinds)).astype(np.int32), 4)
    batch.arguments[:] = np.arange(SPANS)[:, None] % 7
    return batch


if __name__ == "__main__":
    main()
