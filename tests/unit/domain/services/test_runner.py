"""A source is drained whenever it has something, to its end, and by one at a time."""

import asyncio
import threading
import time
from typing import Any

from attrs import define, evolve, field

from container_tracer.domain.services import drain_spans as module_of_spans
from container_tracer.domain.services import runner as module
from container_tracer.domain.services.drain_spans import DrainSpans
from container_tracer.domain.services.own_spans import OwnSpans
from container_tracer.domain.services.pipeline import DrainReport
from container_tracer.domain.services.runner import SourceRunner
from container_tracer.fakes.clock import FakeClock

from .conftest import SeenSpans


@define
class StandInSource:
    name: str = "source"
    waited: list[int] = field(factory=list)
    fuller: asyncio.Event = field(factory=asyncio.Event)

    async def wait(self, *, percent: int = 0) -> None:
        self.waited.append(percent)
        if percent:
            await self.fuller.wait()


@define
class StandInPipeline:
    """Gives its reports one after the other; fails if two drain at once."""

    reports: list[DrainReport]
    source: StandInSource = field(factory=StandInSource)
    gate: threading.Event = field(factory=threading.Event)
    drained: int = 0
    pending: int = 0
    _inside: threading.Lock = field(factory=threading.Lock)

    def __attrs_post_init__(self) -> None:
        self.gate.set()

    def drain(self) -> DrainReport:
        assert self._inside.acquire(blocking=False)
        try:
            assert self.gate.wait(10)
            self.drained += 1
            return self.reports.pop(0)
        finally:
            self._inside.release()


def report(**changes: Any) -> DrainReport:
    return DrainReport(spans={}, **changes)


def runner_of(world: Any, *reports: DrainReport) -> tuple[Any, list[DrainReport]]:
    delivered: list[DrainReport] = []
    pipeline: Any = StandInPipeline(list(reports))
    drains = DrainSpans(spans=OwnSpans(clock=FakeClock()), source="source")
    runner = SourceRunner(
        pipeline=pipeline, executor=world.executor, deliver=delivered.append, spans=drains
    )
    return runner, delivered


async def test_it_drains_until_every_cpu_is_empty(world: Any) -> None:
    reports = [report(events=3, more=True), report(events=4, more=True), report(events=5)]
    runner, delivered = runner_of(world, *reports)
    assert await runner.drain() == 12
    assert delivered == reports


async def test_it_drains_no_longer_than_to_a_time_if_that_is_enough(world: Any) -> None:
    """Others may make events faster than they can be read."""
    endless = [report(until_ns=at_ns, more=True) for at_ns in range(100, 200)]
    runner, delivered = runner_of(world, *endless)
    await runner.drain(past_ns=105)
    assert [one.until_ns for one in delivered] == list(range(100, 107))


async def test_a_step_drains_at_once_where_a_buffer_fills(world: Any) -> None:
    runner, delivered = runner_of(world, report(events=1))
    runner.pipeline.source.fuller.set()
    await asyncio.wait_for(runner.step(), module.GATHER_SECONDS)
    assert len(delivered) == 1
    assert runner.pipeline.source.waited == [0, module.GATHER_PERCENT]


async def test_a_step_drains_after_a_while_where_events_are_few(world: Any) -> None:
    runner, delivered = runner_of(world, report(events=1))
    began = time.monotonic()
    await runner.step()
    assert time.monotonic() - began >= module.GATHER_SECONDS * 0.9
    assert len(delivered) == 1


async def test_a_step_drains_again_for_what_was_held_back_although_nothing_more_comes(
    world: Any,
) -> None:
    runner, delivered = runner_of(world, report(events=1))
    runner.pipeline.pending = 1
    runner.pipeline.source.fuller.set()
    await runner.step()
    assert runner.pipeline.source.waited == [module.GATHER_PERCENT]
    assert len(delivered) == 1


async def test_losses_are_logged(world: Any) -> None:
    runner, _ = runner_of(world, report(losses=2))
    await runner.drain()
    assert world.logs == [
        {"event": "drain.lost_events", "source": "source", "gaps": 2, "log_level": "warning"}
    ]


async def test_drains_never_overlap(world: Any) -> None:
    runner, delivered = runner_of(world, *[report(more=index % 3 != 2) for index in range(9)])
    await asyncio.gather(*(runner.drain() for _ in range(3)))
    assert len(delivered) == 9


async def test_who_cancels_a_drain_waits_for_it_and_its_spans_are_handed_on(world: Any) -> None:
    runner, delivered = runner_of(world, report(events=1, more=True), report(events=2))
    runner.pipeline.gate.clear()
    draining = asyncio.create_task(runner.drain(), name="drain")
    await asyncio.sleep(0.01)
    draining.cancel()
    await asyncio.sleep(0.01)
    assert runner.lock.locked()
    runner.pipeline.gate.set()
    await asyncio.wait([draining])
    assert draining.cancelled()
    assert [one.events for one in delivered] == [1]
    assert not runner.lock.locked()


async def test_of_drains_that_are_alike_one_now_and_then_is_a_span(world: Any) -> None:
    runner, _ = runner_of(world, *[report(events=5, more=True) for _ in range(30)], report())
    clock, seen = FakeClock(), SeenSpans()
    runner.spans = DrainSpans(spans=OwnSpans(clock=clock, observers=[seen]), source="source")
    for _ in range(25):
        runner.pipeline.reports[0] = evolve(runner.pipeline.reports[0], more=False)
        await runner.drain()
        clock.advance(1)
    first = seen.over[0].started_ns
    assert [(one.started_ns - first) // 10**9 for one in seen.over] == [0, 10, 20]
    assert seen.over[0].attributes == {
        "container_tracer.source": "source",
        "container_tracer.events": 5,
        "container_tracer.spans": 0,
        "container_tracer.sessions": 0,
        "container_tracer.losses": 0,
        "container_tracer.more": False,
    }


async def test_every_drain_that_loses_or_is_for_a_request_is_a_span(world: Any) -> None:
    losing = report(losses=1)
    runner, _ = runner_of(world, report(), losing, losing, report(), report(), report())
    clock, seen = FakeClock(), SeenSpans()
    spans = OwnSpans(clock=clock, observers=[seen])
    runner.spans = DrainSpans(spans=spans, source="source")
    for _ in range(4):
        await runner.drain()
    assert [one.attributes["container_tracer.losses"] for one in seen.over] == [0, 1, 1]
    with spans.span("request") as request:
        await runner.drain()
    assert seen.over[3].parent_span_id == request.context.span_id


class HastyClock(FakeClock):
    """Time flies whenever somebody looks."""

    def wall_ns(self) -> int:
        self.wall += module_of_spans.SLOW_NS
        return self.wall


async def test_every_drain_that_is_slow_is_a_span(world: Any) -> None:
    runner, _ = runner_of(world, report(), report())
    seen = SeenSpans()
    spans = OwnSpans(clock=HastyClock(), observers=[seen])
    runner.spans = DrainSpans(spans=spans, source="source")
    await runner.drain()
    await runner.drain()
    assert [one.ended_ns - one.started_ns > module_of_spans.SLOW_NS for one in seen.over] == [
        True
    ] * 2
