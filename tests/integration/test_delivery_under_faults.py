"""A network and a collector that fail in every way at random: what is counted is what is there.

Each seed is a run. `FAULT_SEEDS=7` repeats one, `FAULT_SEEDS=0-999` makes a soak.
"""

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import count

import pytest
from structlog.testing import capture_logs

from container_tracer.adapters.jaeger import span_exporter as jaeger_module
from container_tracer.adapters.jaeger.collector import JaegerCollector
from container_tracer.adapters.otlp import grpc as grpc_module
from container_tracer.domain.model.stats import ExporterStats
from container_tracer.domain.services import deliveries as deliveries_module
from container_tracer.domain.services import delivery as delivery_module
from container_tracer.domain.services.deliveries import Deliveries
from container_tracer.domain.services.single_span_delivery import SingleSpanDelivery
from container_tracer.fakes.spans import NOON_NS
from container_tracer.ports.errors import ExportDelayed
from container_tracer.ports.span_exporter import TraceContext
from tests.faults import wires
from tests.faults.exchanges import Exchange, Fault
from tests.faults.loads import (
    LOAD,
    SPANS,
    HastyClock,
    Session,
    Singles,
    silence,
    single_span,
    under_load,
    until,
)
from tests.faults.proxy import read_message
from tests.faults.wires import (
    JAEGER,
    OTLP_HTTP,
    PROXIED,
    WIRES,
    Run,
    Wire,
    begun,
)

PART_SPANS = 60
ENDED_NS = NOON_NS + 10**9
FLUSH_SECONDS = 0.5
QUICK_CHANNEL = (("grpc.initial_reconnect_backoff_ms", 100),)

COLLECTOR_AT = JaegerCollector.at

LOG = logging.getLogger(__name__)


def seeds() -> list[int]:
    first, _, last = os.environ.get("FAULT_SEEDS", "0-2").partition("-")
    return list(range(int(first), int(last or first) + 1))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    wait_for_answers(monkeypatch, wires.TIMEOUT_SECONDS)
    monkeypatch.setattr(jaeger_module, "PART_SPANS", PART_SPANS)
    monkeypatch.setattr(grpc_module, "_OPTIONS", (*grpc_module._OPTIONS, *QUICK_CHANNEL))
    monkeypatch.setattr(deliveries_module, "FLUSH_SECONDS", FLUSH_SECONDS)
    with capture_logs():
        yield


def wait_for_answers(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let senders wait so long for an answer."""
    monkeypatch.setattr(wires, "TIMEOUT_SECONDS", seconds)
    monkeypatch.setattr(JaegerCollector, "at", partial(COLLECTOR_AT, seconds=seconds))


async def opened(run: Run, clock: HastyClock) -> Session:
    statistics: dict[str, ExporterStats] = {}
    context = TraceContext(session_id=str(run.seed), hook="trace_syscalls", started_ns=NOON_NS)
    ways = await Deliveries.open(
        {"it": run.wire.exporter(run.url)}, context, clock=clock, statistics=statistics
    )
    return Session(run, ways, statistics["it"])


async def session_through(run: Run) -> None:
    session = await opened(run, HastyClock())
    try:
        await under_load(run, lambda: session.offer(run.drawn.randrange(1, 200)), session)
        if run.ends_in_silence:
            await silence(run, session)
            began = time.monotonic()
            await session.ways.close(ended_ns=ENDED_NS)
            assert time.monotonic() - began < FLUSH_SECONDS + 2
        else:
            run.calm()
            await until(lambda: not session.pending, session.check)
            await session.ways.close(ended_ns=ENDED_NS)
            assert run.sessions == 1, session.counts.error
    finally:
        await session.ways.close()
    session.check_all()


async def singles_through(run: Run) -> None:
    delivery = SingleSpanDelivery(exporter=run.wire.single(run.url), clock=HastyClock())
    delivery.start()
    singles = Singles(run, delivery)
    try:
        await under_load(run, lambda: singles.offer(run.drawn.randrange(1, 20)), singles)
        if run.ends_in_silence:
            await silence(run, singles)
            began = time.monotonic()
            await delivery.close(FLUSH_SECONDS)
            assert time.monotonic() - began < FLUSH_SECONDS + 2
        else:
            run.calm()
            await until(lambda: not singles.pending, singles.check)
    finally:
        await delivery.close(FLUSH_SECONDS)
    singles.check_all()


async def through(wire: Wire, seed: int, load: Callable[[Run], Awaitable[None]]) -> None:
    async with begun(wire, seed) as run:
        await load(run)
        report(run)


def report(run: Run) -> None:
    """Say what was done, for whoever makes a soak: `--log-level=INFO -rP` shows it."""
    LOG.info(
        "%s seed=%d exchanges=%d kept=%d again=%d doubtful=%d faults=%s answers=%s",
        run.wire.name,
        run.seed,
        len(run.exchanges.every),
        len(run.ledger.kept),
        run.ledger.check_twice(),
        len(run.ledger.known(doubtful=True)) - len(run.ledger.known(doubtful=False)),
        dict(Counter(run.exchanges.done)),
        dict(run.ledger.said),
    )


@pytest.mark.parametrize("seed", seeds())
async def test_what_counts_as_delivered_is_there_to_the_unit(seed: int) -> None:
    async with asyncio.TaskGroup() as together:
        for wire in WIRES:
            together.create_task(through(wire, seed, session_through))
            together.create_task(through(wire, seed, singles_through))


@pytest.mark.parametrize("wire", PROXIED, ids=lambda one: one.name)
async def test_after_minutes_without_a_collector_everything_that_fitted_is_delivered(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_module, "QUEUE_BYTES", LOAD.nbytes // 2)
    clock = HastyClock(haste=2_000)
    async with begun(wire, 0, faults={Fault.REFUSES: 1.0}) as run:
        session = await opened(run, clock)
        while not session.all_offered or clock.slept_seconds < 300:
            if not session.all_offered:
                session.offer(50)
            session.check()
            await asyncio.sleep(0.005)
        assert session.counts.delivered == 0
        assert 0 < session.counts.dropped_spans < SPANS
        assert f"retrying, {session.counts.pending_spans} spans wait" in session.counts.error
        dropped = session.counts.dropped
        run.calm()
        await until(lambda: not session.pending, session.check)
        await session.ways.close(ended_ns=ENDED_NS)
        session.check_all()
        assert session.counts.dropped == dropped


async def first_fault(wire: Wire, fault: Fault) -> list[Exchange]:
    """Send a span whose first exchange has a fault; return the exchanges it took."""
    async with begun(wire, 0) as run:
        run.ledger.refusals, run.exchanges.faults = {}, {fault: 1.0}
        exporter = wire.single(run.url)
        with pytest.raises(ExportDelayed):
            await exporter.send([single_span(0)])
        run.calm()
        await until(lambda: bool(run.exchanges.every), lambda: None)
        async with asyncio.timeout(10):
            while not run.ledger.known(doubtful=True):
                with suppress(ExportDelayed):  # gRPC connects again when it is ready to
                    await exporter.send([single_span(0)])
                await asyncio.sleep(0.01)
        await exporter.close()
    return run.exchanges.every


@pytest.mark.parametrize("wire", PROXIED, ids=lambda one: one.name)
@pytest.mark.parametrize("fault", [Fault.IGNORES, Fault.TALKS_GARBAGE], ids=lambda one: one.name)
async def test_a_connection_that_is_of_no_use_is_given_up_for_another(
    wire: Wire, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for_answers(monkeypatch, 0.3)
    exchanges = await first_fault(wire, fault)
    assert [one.fault for one in exchanges] == [fault, None]


@pytest.mark.parametrize(("times", "connections"), [(1, 1), (2, 3)])
@pytest.mark.parametrize("wire", [OTLP_HTTP, JAEGER], ids=lambda one: one.name)
async def test_what_is_said_unasked_is_no_answer_to_the_next_request(
    wire: Wire, times: int, connections: int
) -> None:
    requests: list[int] = []
    accepted = count()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = next(accepted)
        with suppress(asyncio.IncompleteReadError):
            while await read_message(reader):
                requests.append(number)
                for _ in range(times):
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    await asyncio.sleep(0.02)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        exporter = wire.single(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        for number in range(3):
            await exporter.send([single_span(number)])
            await asyncio.sleep(0.06)
        await exporter.close()
    assert len(requests) == 3
    assert len(set(requests)) == connections
