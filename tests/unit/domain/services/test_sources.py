"""Sessions share what they can, and what nobody needs is gone from the kernel."""

import asyncio
from typing import Any

import pytest

from container_tracer.domain.model.event_format import UnreadableFormat
from container_tracer.domain.model.hook import TracePlan
from container_tracer.domain.model.hooks.trace_syscalls import TraceSyscalls
from container_tracer.domain.model.pod import Container
from container_tracer.domain.model.share import SessionShare
from container_tracer.domain.model.spans import SpanBatch
from container_tracer.domain.services.pipeline import SourceLayout
from container_tracer.domain.services.shared_source import Subscription
from container_tracer.ports.errors import DiscoveryFailed, EventUnavailable, TracingUnavailable


def plan_of(world: Any, arguments: str = "") -> TracePlan:
    return TraceSyscalls().plan(arguments, world.kernel.event_names())


def subscription(name: str, *containers: Container) -> Any:
    """Make one that keeps what it is given in `spans` and `reasons`."""
    batches: list[SpanBatch] = []
    reasons: list[str] = []
    share = SessionShare(session_id=name, spans=TracePlan(events=frozenset()).spans)
    made = Subscription(
        share=share, containers=containers, deliver=batches.append, end=reasons.append
    )
    return made, batches, reasons


def count(batches: list[SpanBatch]) -> int:
    return sum(map(len, batches))


async def test_sessions_whose_events_are_among_those_of_a_source_share_it(world: Any) -> None:
    web = world.container("web", 100)
    for name, arguments in (("all", ""), ("few", "-s read"), ("same", "")):
        await world.sources.join(subscription(name, web)[0], plan_of(world, arguments))
    assert len(world.kernel.sources) == 1
    assert len(await world.sources.all_statistics()) == 1
    for name in ("all", "few", "same"):
        await world.sources.leave(name)


async def test_who_needs_more_gets_another_and_who_needs_less_takes_the_smaller(
    world: Any,
) -> None:
    web = world.container("web", 100)
    await world.sources.join(subscription("few", web)[0], plan_of(world, "-s read getppid"))
    await world.sources.join(subscription("all", web)[0], plan_of(world))
    await world.sources.join(subscription("fewer", web)[0], plan_of(world, "-s getppid"))
    small, large = world.shared
    assert set(small.subscriptions) == {"few", "fewer"}
    assert set(large.subscriptions) == {"all"}
    for name in ("few", "all", "fewer"):
        await world.sources.leave(name)
    await world.gone()


async def test_a_source_is_removed_off_the_path_of_who_leaves_last(world: Any) -> None:
    web = world.container("web", 100)
    for name in ("one", "two"):
        await world.sources.join(subscription(name, web)[0], plan_of(world))
    await world.sources.leave("one")
    assert world.kernel.sources[0].on
    await world.sources.leave("two")
    assert not world.kernel.sources[0].on
    assert world.shared == []
    await world.sources.close()
    assert world.kernel.sources[0].closed
    assert await world.sources.leave("two") is None


async def test_who_leaves_takes_along_only_tasks_nobody_else_wants(world: Any) -> None:
    web, database = world.container("web", 100), world.container("db", 200)
    await world.sources.join(subscription("both", web, database)[0], plan_of(world))
    await world.sources.join(subscription("web", web)[0], plan_of(world))
    await world.sources.leave("both")
    (source,) = world.kernel.sources
    assert source.unfollowed == {200}
    world.call(200)
    assert source.counters()[0].recorded == 0
    await world.sources.join(subscription("db", database)[0], plan_of(world))
    assert source.unfollowed == set()
    for name in ("db", "web"):
        await world.sources.leave(name)


async def test_each_gets_its_own_from_when_it_joined_until_it_left(world: Any) -> None:
    web, database = world.container("web", 100), world.container("db", 200)
    early, early_spans, _ = subscription("early", web)
    late, late_spans, _ = subscription("late", web, database)
    await world.sources.join(early, plan_of(world))
    world.call(100, times=2)
    await world.sources.join(late, plan_of(world))
    world.call(100, times=3)
    world.call(200, times=5)
    await world.sources.leave("early")
    world.call(100, times=7)
    await world.sources.leave("late")
    assert (count(early_spans), count(late_spans)) == (5, 15)
    for one in (early, late):
        assert one.share.statistics.source.balance == 0
        assert one.failure == ""


async def test_calls_before_and_after_are_cut_at_the_ends_of_the_session(world: Any) -> None:
    web = world.container("web", 100)
    await world.sources.join(subscription("stays", web)[0], plan_of(world))
    world.enter_call(100, "read")
    one, spans, _ = subscription("one", web)
    await world.sources.join(one, plan_of(world))
    world.return_from(100, "read")
    world.enter_call(100, "openat")
    unfinished = await world.sources.leave("one")
    assert [batch.kinds[batch.kind[0]].name for batch in spans] == ["read"]
    assert unfinished.kinds[unfinished.kind[0]].name == "openat"
    assert one.share.statistics.attributed == 2
    await world.sources.leave("stays")


@pytest.mark.parametrize("method", ["start", "counters"])
async def test_a_join_that_fails_half_way_leaves_nothing(world: Any, method: str) -> None:
    web = world.container("web", 100)
    world.kernel.failures[method] = TracingUnavailable("The kernel says no.")
    with pytest.raises(TracingUnavailable, match="says no"):
        await world.sources.join(subscription("one", web)[0], plan_of(world))
    assert world.shared == []
    await world.gone()
    world.kernel.failures.clear()
    await world.sources.join(subscription("one", web)[0], plan_of(world))
    await world.sources.leave("one")


@pytest.mark.parametrize("method", ["follow", "counters"])
async def test_a_join_that_fails_costs_those_who_share_the_source_nothing(
    world: Any, method: str
) -> None:
    web, database = world.container("web", 100), world.container("db", 200)
    _, spans, _ = stays = subscription("stays", web)
    await world.sources.join(stays[0], plan_of(world))
    world.kernel.failures[method] = TracingUnavailable("The kernel says no.")
    with pytest.raises(TracingUnavailable, match="says no"):
        await world.sources.join(subscription("one", database)[0], plan_of(world))
    world.kernel.failures.clear()
    world.call(100, times=4)
    world.call(200, times=4)
    await world.sources.leave("stays")
    assert count(spans) == 4
    assert world.kernel.sources[0].unfollowed >= {200}
    await world.gone()


async def test_no_discovery_or_no_event_is_no_source(world: Any) -> None:
    web = world.container("web", 100)
    world.directory.failure = DiscoveryFailed("/proc cannot be read.")
    with pytest.raises(DiscoveryFailed):
        await world.sources.join(subscription("one", web)[0], plan_of(world))
    world.directory.failure = None
    with pytest.raises(EventUnavailable):
        await world.sources.join(
            subscription("one", web)[0], TracePlan(events=frozenset({"no:such"}))
        )
    assert world.kernel.sources == []


async def test_formats_that_cannot_be_read_leave_no_source(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UnreadableFormat("Event x has no name.")

    web = world.container("web", 100)
    monkeypatch.setattr(SourceLayout, "of", refuse)
    with pytest.raises(TracingUnavailable, match=r"Cannot read .* events: Event x has no name\."):
        await world.sources.join(subscription("one", web)[0], plan_of(world))
    assert world.shared == []
    await world.gone()


async def test_who_is_cancelled_while_joining_has_not_joined(world: Any) -> None:
    web = world.container("web", 100)
    for patience in range(0, 60, 2):
        joining = asyncio.create_task(
            world.sources.join(subscription("one", web)[0], plan_of(world)), name="join"
        )
        for _ in range(patience):
            await asyncio.sleep(0)
        joining.cancel()
        await asyncio.wait([joining])
        if not joining.cancelled():
            await world.sources.leave("one")
        await world.sources.close()
        assert world.shared == []
        assert world.kernel.open_sources == []


async def test_a_source_that_cannot_be_removed_is_reported(world: Any) -> None:
    web = world.container("web", 100)
    await world.sources.join(subscription("one", web)[0], plan_of(world))
    world.kernel.failures["close"] = TracingUnavailable("Cannot remove it: busy.")
    await world.sources.leave("one")
    await world.sources.close()
    assert {
        "event": "source.not_removed",
        "error": "Cannot remove it: busy.",
    }.items() <= world.logs[-1].items()
    world.kernel.sources[0].closed = True


async def test_nobody_joins_a_source_whose_reader_died(world: Any) -> None:
    web = world.container("web", 100)
    dead, _, reasons = subscription("dead", web)
    await world.sources.join(dead, plan_of(world))
    world.kernel.failures["read"] = TracingUnavailable("The pipe broke.")
    world.call(100)
    await world.until(lambda: reasons)
    assert reasons == ["reading the kernel's events failed: The pipe broke."]
    world.kernel.failures.clear()
    alive, spans, _ = subscription("alive", web)
    await world.sources.join(alive, plan_of(world))
    world.call(100)
    await world.sources.leave("alive")
    await world.sources.leave("dead")
    assert count(spans) == 1
    assert "The pipe broke." in dead.failure
    assert alive.failure == ""
    await world.gone()


async def test_numbers_are_asked_for_while_sessions_come_and_go(world: Any) -> None:
    """Every answer balances, and none is of a source that has just been removed."""
    web = world.container("web", 100)
    done = asyncio.Event()

    async def ask() -> int:
        answers = 0
        while not done.is_set():
            for balance in (await world.sources.all_statistics()).values():
                assert balance.balance == 0
            if numbers := await world.sources.statistics("one"):
                assert numbers.source.balance == 0
                answers += 1
            await asyncio.sleep(0)
        return answers

    asking = asyncio.create_task(ask(), name="ask")
    for _ in range(20):
        await world.sources.join(subscription("one", web)[0], plan_of(world))
        world.call(100, times=3)
        await asyncio.sleep(0.001)
        await world.sources.leave("one")
    done.set()
    assert await asking > 0
    assert await world.sources.statistics("one") is None
