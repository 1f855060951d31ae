"""A tracer's own spans wait in a bounded queue; each is counted as delivered or dropped."""

import asyncio
from collections.abc import Callable

import pytest

from container_tracer.domain.model.single_span import SingleSpan
from container_tracer.domain.services import single_span_delivery
from container_tracer.domain.services.single_span_delivery import BATCH_SPANS, SingleSpanDelivery
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.single_span_exporter import FakeSingleSpanExporter
from container_tracer.ports.errors import ExportDelayed, ExportFailed, ExportRejected


def span(number: int = 1) -> SingleSpan:
    return SingleSpan(
        name=str(number), trace_id=b"\1" * 16, span_id=b"\1" * 8, started_ns=1, ended_ns=2
    )


def made(*failures: ExportFailed) -> tuple[SingleSpanDelivery, FakeSingleSpanExporter]:
    exporter = FakeSingleSpanExporter()
    exporter.failures.extend(failures)
    return SingleSpanDelivery(exporter=exporter, clock=FakeClock()), exporter


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0)


async def test_spans_are_sent_together_and_in_order() -> None:
    delivery, exporter = made()
    delivery.start()
    for number in range(BATCH_SPANS + 3):
        delivery.offer(span(number))
    await until(lambda: delivery.delivered == BATCH_SPANS + 3)
    assert [one.name for one in exporter.spans] == [str(n) for n in range(BATCH_SPANS + 3)]
    assert exporter.sizes == [BATCH_SPANS, 3]
    delivery.offer(span())
    await until(lambda: delivery.delivered == BATCH_SPANS + 4)
    await delivery.close(1)
    assert (delivery.dropped, exporter.closed) == (0, 1)


async def test_what_cannot_be_taken_now_is_sent_again() -> None:
    delivery, exporter = made(ExportDelayed("busy"), ExportDelayed("busy", retry_after_seconds=9))
    delivery.start()
    delivery.offer(span())
    await until(lambda: delivery.delivered == 1)
    await delivery.close(1)
    assert (exporter.sizes, delivery.dropped, delivery.trouble) == ([1], 0, "")


@pytest.mark.parametrize(
    ("failure", "delivered", "dropped"),
    [
        (ExportFailed("no"), 0, 3),
        (ExportRejected("some are too old", spans=2), 1, 2),
        (ExportRejected("more than there are", spans=9), 0, 3),
    ],
)
async def test_what_is_refused_for_good_is_counted_and_others_go_on(
    failure: ExportFailed, delivered: int, dropped: int
) -> None:
    delivery, exporter = made(failure)
    for _ in range(3):
        delivery.offer(span())
    delivery.start()
    await until(lambda: delivery.delivered + delivery.dropped == 3)
    assert (delivery.delivered, delivery.dropped) == (delivered, dropped)
    delivery.offer(span())
    await until(lambda: exporter.sizes == [1])
    await delivery.close(1)


async def test_an_exporter_with_a_fault_costs_its_spans_and_nothing_else() -> None:
    delivery, exporter = made()
    exporter.failures.append(ZeroDivisionError())  # type: ignore[arg-type]
    delivery.start()
    delivery.offer(span())
    await until(lambda: delivery.dropped == 1)
    delivery.offer(span())
    await until(lambda: delivery.delivered == 1)
    await delivery.close(1)


async def test_what_does_not_fit_into_the_queue_is_dropped_and_nobody_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(single_span_delivery, "QUEUE_SPANS", 2)
    delivery, exporter = made()
    exporter.gate.clear()
    delivery.start()
    for _ in range(5):
        delivery.offer(span())
    assert delivery.dropped == 3
    exporter.gate.set()
    await until(lambda: delivery.delivered == 2)
    await delivery.close(1)


async def test_what_waits_at_the_end_is_sent_once_more() -> None:
    delivery, exporter = made()
    delivery.offer(span())
    delivery.start()
    await delivery.close(1)
    assert (len(exporter.spans), delivery.delivered) == (1, 1)
    delivery.offer(span())
    assert delivery.dropped == 1


@pytest.mark.parametrize("hangs", [True, False])
async def test_the_end_does_not_wait_for_one_who_does_not_take_them(hangs: bool) -> None:
    delivery, exporter = made(*[ExportDelayed("down")] * 9)
    if hangs:
        exporter.gate.clear()
    delivery.offer(span())
    delivery.start()
    await delivery.close(0.05)
    assert (delivery.delivered, delivery.dropped, exporter.closed) == (0, 1, 1)
