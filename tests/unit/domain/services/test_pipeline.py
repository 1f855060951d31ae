"""The way of an event through one drain after the other, and the balance of them."""

from typing import Any

from container_tracer.domain.model.spans import SpanOutcome
from container_tracer.domain.services import pipeline as module


async def source_of(world: Any, *tids: int) -> tuple[Any, Any]:
    world.container("web", *tids)
    session = await world.sessions.create(world.request("web"))
    (source,) = world.shared
    for task in source.tasks:  # tests drain themselves
        task.cancel()
    return source.pipeline, session


def balance(pipeline: Any) -> Any:
    return pipeline.statistics(pipeline.source.counters())


async def test_a_drain_brings_each_session_its_spans(world: Any) -> None:
    pipeline, session = await source_of(world, 100)
    world.call(100, times=3)
    report = pipeline.drain()
    assert {name: len(batch) for name, batch in report.spans.items()} == {session.session_id: 3}
    assert (report.events, report.more, report.strangers) == (6, False, set())
    assert report.until_ns == world.clock.trace
    assert pipeline.drain().events == 0
    assert balance(pipeline).attributed == 6


async def test_a_call_is_paired_across_drains(world: Any) -> None:
    pipeline, session = await source_of(world, 100)
    world.enter_call(100, "read")
    assert pipeline.drain().spans == {}
    world.return_from(100, "read", 7)
    (batch,) = pipeline.drain().spans.values()
    assert batch.result.tolist() == [7]
    assert (batch.end_ns - batch.start_ns).tolist() == [1_000]
    assert session.statistics.open == 0


async def test_calls_of_two_drains_are_as_far_apart_as_the_kernel_says(world: Any) -> None:
    pipeline, _ = await source_of(world, 100)
    starts = []
    for misread_ns in (0, 900_000):
        world.clock.wall -= misread_ns  # as if it was read early, or the trace clock late
        began_ns = world.clock.trace
        world.call(100)
        (batch,) = pipeline.drain().spans.values()
        starts.append(int(batch.start_ns[0]) - began_ns)
    assert starts[0] == starts[1]


async def test_what_is_newer_than_the_drain_is_held_back_and_counted(world: Any) -> None:
    pipeline, _ = await source_of(world, 100)
    world.call(100)
    world.clock.trace -= 1_000  # the return is stamped when the drain begins
    report = pipeline.drain()
    assert (report.events, report.spans) == (2, {})
    assert (balance(pipeline).pending, balance(pipeline).balance) == (1, 0)
    world.clock.trace += 1_000
    assert len(pipeline.drain().spans) == 1
    assert (balance(pipeline).pending, balance(pipeline).balance) == (0, 0)


async def test_more_than_one_drain_may_take_says_so(world: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "DRAIN_BYTES", 4096)
    pipeline, _ = await source_of(world, 100)
    world.call(100, times=200)
    reports = [pipeline.drain()]
    assert reports[0].until_ns < world.clock.trace
    while reports[-1].more:
        assert balance(pipeline).balance == 0
        reports.append(pipeline.drain())
    assert len(reports) > 1
    assert sum(len(batch) for one in reports for batch in one.spans.values()) == 200


async def test_events_of_nobody_are_unattributed_and_reported(world: Any) -> None:
    pipeline, _ = await source_of(world, 100)
    world.kernel.sources[0].followed.add(999)
    world.call(999)
    report = pipeline.drain()
    assert report.strangers == {999}
    assert report.spans == {}
    assert (balance(pipeline).unattributed, balance(pipeline).balance) == (2, 0)


async def test_lost_events_balance_and_ask_for_another_look(world: Any) -> None:
    world.kernel.capacity = 2
    pipeline, session = await source_of(world, 100)
    world.call(100)
    pipeline.drain()
    world.call(100, times=1_000)
    report = pipeline.drain()
    assert report.losses > 0
    numbers = balance(pipeline)
    assert numbers.lost > 0
    assert (numbers.recorded, numbers.balance) == (2_002, 0)
    share = session.statistics
    assert share.attributed == numbers.attributed


async def test_what_cannot_be_read_is_counted_as_malformed(world: Any) -> None:
    pipeline, _ = await source_of(world, 100)
    source = world.kernel.sources[0]
    world.call(100, times=2)
    source.put(b"\xff" * 4096, cpu=1)
    cpu = source.cpus[1]
    cpu._count(read=5)  # as the kernel would count what was in it
    pipeline.drain()
    numbers = balance(pipeline)
    assert (numbers.malformed, numbers.balance) == (5, 0)


async def test_no_call_bridges_what_could_not_be_read(world: Any) -> None:
    pipeline, _ = await source_of(world, 100)
    world.enter_call(100, "read")
    pipeline.drain()
    world.kernel.sources[0].put(b"\xff" * 4096, cpu=1)
    world.return_from(100, "read", 7)
    (batch,) = pipeline.drain().spans.values()
    assert [SpanOutcome(one) for one in batch.outcome] == [SpanOutcome.LOST] * 2
    assert (batch.entered.tolist(), batch.returned.tolist()) == ([True, False], [False, True])
    world.clock.trace += 1
    world.call(100)
    (batch,) = pipeline.drain().spans.values()
    assert [SpanOutcome(one) for one in batch.outcome] == [SpanOutcome.RETURNED]


async def test_a_session_that_finishes_gets_what_is_open(world: Any) -> None:
    pipeline, session = await source_of(world, 100)
    world.enter_call(100, "read")
    pipeline.drain()
    assert session.statistics.open == 1
    batch = pipeline.finish(session.session_id)
    assert (len(batch), batch.events) == (1, 1)
    assert session.statistics.open == 0
    assert pipeline.shares == {}


async def test_calls_of_a_task_that_is_forgotten_end_with_it(world: Any) -> None:
    pipeline, _ = await source_of(world, 100, 101)
    world.enter_call(101, "read")
    pipeline.drain()
    pipeline.tasks.forget([101])
    world.call(100)
    (batch,) = pipeline.drain().spans.values()
    assert sorted(batch.tid.tolist()) == [100, 101]


async def test_a_long_life_does_not_gather_segments(world: Any) -> None:
    pipeline, _ = await source_of(world, 100)
    web = pipeline.tasks.containers[0]
    for child in range(1_000, 12_000):
        world.fork(web, 100, child)
        world.exit(child)
        if child % 500 == 0:
            pipeline.drain()
    world.clock.trace += 1
    pipeline.drain()
    world.call(100)
    (batch,) = pipeline.drain().spans.values()
    assert batch.commands[batch.command[0]] == "worker"
    assert pipeline.tasks.tids(0) == {100}
    assert len(pipeline.tasks.segments.rows) < 20_000
    assert balance(pipeline).balance == 0
