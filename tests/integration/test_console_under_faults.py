"""Readers of a program's output that dawdle, stop reading or leave: each span is accounted for."""

import asyncio
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TextIO

import numpy as np
import pytest
from attrs import define, evolve, field
from structlog.testing import capture_logs

from container_tracer.adapters.console.single_spans import ConsoleSingleSpanExporter
from container_tracer.adapters.console.span_exporter import ConsoleSpanExporter
from container_tracer.adapters.system.clock import SystemClock
from container_tracer.domain.model.stats import ExporterStats
from container_tracer.domain.services import deliveries as deliveries_module
from container_tracer.domain.services.deliveries import Deliveries
from container_tracer.domain.services.single_span_delivery import SingleSpanDelivery
from container_tracer.fakes.spans import many_spans
from container_tracer.ports.span_exporter import TraceContext
from tests.faults.loads import single_span

SESSIONS = 3
WORKERS = 2
PIPE_BYTES = 64 << 10
FLUSH_SECONDS = 0.5


@define(eq=False)
class Reader:
    """Reads a pipe in a thread, as it likes to; it `leaves` early, or `stalls` for a while."""

    descriptor: int
    drawn: random.Random
    leaves: bool
    stalls: bool
    read: bytearray = field(factory=bytearray)
    stalled: threading.Event = field(factory=threading.Event)
    go_on: threading.Event = field(factory=threading.Event)

    def run(self) -> None:
        patience = self.drawn.randrange(50_000, 300_000)
        while data := os.read(self.descriptor, self.drawn.randrange(1, 60_000)):
            self.read += data
            time.sleep(self.drawn.random() * 0.002)
            if len(self.read) > patience and self.leaves:
                break
            if len(self.read) > patience and self.stalls and not self.stalled.is_set():
                self.stalled.set()
                self.go_on.wait(20)
        os.close(self.descriptor)


@contextmanager
def output(
    reader_of: random.Random, *, leaves: bool, stalls: bool
) -> Iterator[tuple[TextIO, Reader]]:
    readable, writable = os.pipe()
    reader = Reader(readable, reader_of, leaves, stalls)
    thread = threading.Thread(target=reader.run, name="reader")
    thread.start()
    stream = os.fdopen(writable, "w", encoding="utf-8")
    try:
        yield stream, reader
    finally:
        reader.go_on.set()
        stream.close()
        thread.join(20)


@define(eq=False)
class Session:
    """A session that writes to the console; its spans are told by their pid."""

    number: int
    ways: Deliveries
    counts: ExporterStats
    spans: int = 0
    events: int = 0

    def offer(self, count: int) -> None:
        batch = many_spans(count)
        returned = np.arange(count) % 5 != 0
        batch = evolve(batch, pid=np.full(count, self.number, np.int32), returned=returned)
        self.ways.offer(batch)
        self.spans, self.events = self.spans + count, self.events + batch.events

    def check(self) -> None:
        one = self.counts
        assert one.delivered + one.dropped + one.pending == self.events
        assert one.delivered_spans + one.dropped_spans + one.pending_spans == self.spans
        assert min(one.pending, one.dropped, one.pending_spans, one.dropped_spans) >= 0


async def opened(number: int, exporter: ConsoleSpanExporter) -> Session:
    statistics: dict[str, ExporterStats] = {}
    ways = await Deliveries.open(
        {"console": exporter},
        TraceContext(session_id=str(number)),
        clock=SystemClock(),
        statistics=statistics,
    )
    return Session(number, ways, statistics["console"])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(deliveries_module, "FLUSH_SECONDS", FLUSH_SECONDS)
    with capture_logs():
        yield


def lines_by_writer(data: bytes) -> tuple[Counter[int], Counter[int], int]:
    """Count whole lines, and their events, by pid, 0 being single spans; and torn lines."""
    lines, events, torn = Counter[int](), Counter[int](), 0
    *whole, _ = data.split(b"\n")
    for line in whole:
        try:
            said = json.loads(line)
        except ValueError:
            torn += 1
            continue
        lines[said.get("pid", 0)] += 1
        events[said.get("pid", 0)] += said.get("events", 0)
    return lines, events, torn


@pytest.mark.parametrize("seed", range(6))
async def test_what_is_on_the_console_is_what_counts_as_delivered(seed: int) -> None:
    drawn = random.Random(seed)  # noqa: S311 - not for secrets
    leaves, stalls = seed % 3 == 1, seed % 3 == 2
    workers = ThreadPoolExecutor(WORKERS)
    asyncio.get_running_loop().set_default_executor(workers)
    with output(random.Random(seed), leaves=leaves, stalls=stalls) as (stream, reader):  # noqa: S311
        exporter = ConsoleSpanExporter(stream)
        exporter.gather_seconds = 0.005
        sessions = [await opened(number + 1, exporter) for number in range(SESSIONS)]
        singles = SingleSpanDelivery(
            exporter=ConsoleSingleSpanExporter(stream), clock=SystemClock()
        )
        singles.start()
        for number in range(20):
            for session in sessions:
                session.offer(drawn.randrange(1, 200))
                session.check()
            singles.offer(single_span(number))
            await asyncio.sleep(drawn.random() * 0.01)
        if stalls:
            assert await asyncio.to_thread(reader.stalled.wait, 10)
        began = time.monotonic()
        await asyncio.gather(*(one.ways.close() for one in sessions), singles.close(FLUSH_SECONDS))
        assert time.monotonic() - began < FLUSH_SECONDS + 2
        # All threads are free again, although nobody reads.
        async with asyncio.timeout(2):
            await asyncio.gather(*(asyncio.to_thread(time.time) for _ in range(WORKERS)))
    for session in sessions:
        session.check()
        assert session.counts.pending == session.counts.pending_spans == 0
    lines, events, torn = lines_by_writer(bytes(reader.read))
    if leaves:
        unread = sum(one.counts.delivered_spans - lines[one.number] for one in sessions)
        assert 0 <= unread <= PIPE_BYTES / 100
        return
    assert torn <= (SESSIONS + 1) * stalls
    for session in sessions:
        assert lines[session.number] == session.counts.delivered_spans
        assert events[session.number] == session.counts.delivered
    assert (singles.pending, singles.delivered + singles.dropped) == (0, 20)
    assert lines[0] == singles.delivered
    if not stalls:
        assert sum(one.counts.dropped for one in sessions) == singles.dropped == 0
