"""Single spans wait in a bounded queue; each is counted as delivered, dropped or pending."""

import asyncio
import random
from collections.abc import Callable, Sequence

import pytest
from attrs import define, evolve, field

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


@pytest.mark.parametrize("kind", [ExportDelayed, ExportRejected])
async def test_what_was_settled_is_not_sent_again_and_the_rest_is(kind: type[ExportFailed]) -> None:
    delivery, exporter = made()
    spans = [span(number) for number in range(5)]
    failure = kind("not all of them")
    failure.left = [spans[4], spans[1]]
    if isinstance(failure, ExportRejected):
        failure.spans = 2
    exporter.failures.append(failure)
    for one in spans:
        delivery.offer(one)
    delivery.start()
    await until(lambda: not delivery.pending)
    assert exporter.spans == [spans[1], spans[4]]
    refused = 2 if kind is ExportRejected else 0
    assert (delivery.delivered, delivery.dropped) == (5 - refused, refused)
    await delivery.close(1)


@define(eq=False)
class CapriciousExporter:
    """Takes, delays and refuses parts of what it is sent; remembers what it took."""

    draw: random.Random
    taken: list[SingleSpan] = field(factory=list)
    refused: int = 0
    name: str = "capricious"

    async def send(self, spans: Sequence[SingleSpan]) -> None:
        await asyncio.sleep(0)
        kind = self.draw.choice([None, ExportDelayed, ExportRejected, ExportFailed])
        first = self.draw.randrange(len(spans) + 1)
        if kind is None:
            self.taken += spans
            return
        if kind is ExportFailed:
            self.refused += len(spans)
            raise kind("no")
        refused = self.draw.randrange(first) if first and kind is ExportRejected else 0
        self.taken += spans[: first - refused]
        self.refused += refused
        error = ExportRejected("some", spans=refused) if refused else ExportDelayed("later")
        error.left = spans[first:]
        raise error

    def arrived(self) -> int:
        return 0

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("seed", range(10))
async def test_each_span_is_delivered_dropped_or_pending_at_any_moment(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(single_span_delivery, "QUEUE_SPANS", 30)
    monkeypatch.setattr(single_span_delivery, "BATCH_SPANS", 7)
    draw = random.Random(seed)  # noqa: S311 - to be repeated
    exporter = CapriciousExporter(draw)
    delivery = SingleSpanDelivery(exporter=exporter, clock=FakeClock())
    delivery.start()

    def check() -> None:
        assert delivery.offered == delivery.delivered + delivery.dropped + delivery.pending

    for number in range(300):
        delivery.offer(span(number))
        check()
        for _ in range(draw.randrange(4)):
            await asyncio.sleep(0)
            check()
    await delivery.close(1)
    check()
    assert (delivery.offered, delivery.pending) == (300, 0)
    assert delivery.delivered == len(exporter.taken)
    assert len({one.name for one in exporter.taken}) == len(exporter.taken), "one was sent twice"


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


async def test_what_waits_is_bounded_in_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_span_delivery, "QUEUE_BYTES", 10_000)
    delivery, exporter = made()
    exporter.gate.clear()
    delivery.start()
    large = evolve(span(), attributes={"text": "x" * 9_000})
    for one in (large, large, span(), evolve(large, attributes={"text": "x" * 20_000})):
        delivery.offer(one)
    assert (delivery.pending, delivery.dropped) == (2, 2)
    exporter.gate.set()
    await until(lambda: delivery.delivered == 2)
    delivery.offer(large)
    await until(lambda: delivery.delivered == 3)
    await delivery.close(1)


async def test_what_is_being_sent_at_the_end_is_not_sent_twice() -> None:
    delivery, exporter = made()
    exporter.gate.clear()
    delivery.offer(span())
    delivery.start()
    for _ in range(20):
        await asyncio.sleep(0)
    closing = asyncio.create_task(delivery.close(5))
    for _ in range(20):
        await asyncio.sleep(0)
    exporter.gate.set()
    await closing
    assert (exporter.sizes, delivery.delivered) == ([1], 1)


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


class StandingClock(FakeClock):
    """A clock whose sleeps never end by themselves, but for the one in which spans gather."""

    async def sleep(self, seconds: float) -> None:
        if seconds != single_span_delivery.GATHER_SECONDS:
            await asyncio.Event().wait()


@pytest.mark.parametrize(("asked_seconds", "delivered"), [(0, 1), (60, 0)])
async def test_at_the_end_everybody_is_asked_once_more_but_who_wants_to_be_left_alone(
    asked_seconds: float, delivered: int
) -> None:
    exporter = FakeSingleSpanExporter()
    exporter.failures.append(ExportDelayed("busy", retry_after_seconds=asked_seconds))
    delivery = SingleSpanDelivery(exporter=exporter, clock=StandingClock())
    delivery.start()
    delivery.offer(span())
    await until(lambda: bool(delivery.trouble))
    async with asyncio.timeout(5):
        await delivery.close(30)
    assert (delivery.delivered, delivery.dropped) == (delivered, 1 - delivered)


class Unclosable(FakeSingleSpanExporter):
    async def close(self) -> None:
        raise ExportFailed("the file may not be whole")


async def test_what_may_be_lost_at_the_end_is_told() -> None:
    delivery = SingleSpanDelivery(exporter=Unclosable(), clock=FakeClock())
    await delivery.close(1)
    assert delivery.trouble == "the file may not be whole"
