"""Sessions that export only a part: what is left out is counted, and nothing else knows of it."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from attrs import evolve

from container_tracer.domain.model.sampling import SampleRate
from container_tracer.domain.model.stats import ExporterStats
from container_tracer.domain.services.watcher import Ended

TASKS = range(100, 140)


async def balanced(world: Any, session: Any) -> None:
    counts = await world.sessions.statistics(session)
    assert set(counts.balances.values()) <= {0}


async def test_of_each_task_all_spans_of_a_second_are_exported_or_none_everywhere(
    world: Any,
) -> None:
    world.container("web", *TASKS)
    request = world.request(exporters=("fake", "other"), sample_rate=SampleRate(50))
    session = await world.sessions.create(request)
    for number in range(3):
        for tid in TASKS:
            world.call(tid)
        await world.until(lambda seen=40 * (number + 1): session.statistics.spans == seen)
        await balanced(world, session)
    await world.sessions.stop(session.session_id)
    exported = Counter(tid for _, tid, _ in world.spans())
    assert set(exported.values()) == {3}
    assert 5 < len(exported) < 35
    assert Counter(world.spans()) == Counter(world.spans(exporter="other"))
    counts = session.statistics
    assert (counts.spans, counts.attributed) == (120, 240)
    assert counts.sampled_out == 240 - 6 * len(exported)
    assert {one.delivered for one in counts.exporters.values()} == {6 * len(exported)}
    await balanced(world, session)


async def test_what_is_dropped_is_of_what_was_kept(world: Any) -> None:
    world.container("web", *TASKS)
    request = world.request(exporters=("fake", "other"), sample_rate=SampleRate(50))
    session = await world.sessions.create(request)
    world.other_exporter.failure = "Down."
    for tid in TASKS:
        world.call(tid)
    await world.until(lambda: session.statistics.spans == 40)
    await world.sessions.stop(session.session_id)
    counts = session.statistics
    exporters = counts.exporters
    assert exporters["other"].dropped == exporters["fake"].delivered == 80 - counts.sampled_out
    assert 0 < counts.sampled_out < 80
    await balanced(world, session)


async def test_of_a_session_that_is_never_sampled_no_exporter_hears(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request(sample_rate=SampleRate(0)))
    world.call(100, times=3)
    world.enter_call(100, "read")
    await world.until(lambda: session.statistics.spans == 3)
    await balanced(world, session)
    await world.sessions.stop(session.session_id)
    assert world.exporter.sinks == []
    assert (session.outputs, session.error) == ((), "")
    assert session.statistics.sampled_out == session.statistics.attributed == 7
    assert session.statistics.exporters == {"fake": ExporterStats()}
    await balanced(world, session)


async def test_who_watches_it_and_its_summary_see_all_of_it(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request(max_events=5, sample_rate=SampleRate(0)))
    with world.sessions.watching(session, lambda lines: b"." * len(lines)) as watcher:
        world.call(100, times=9)
        watched = b""
        async with asyncio.timeout(10):
            while not isinstance(item := await watcher.next(), Ended):
                watched += item if isinstance(item, bytes) else b""
    assert len(watched) == 5
    assert (await world.sessions.summary(session)).summary.spans == 5


@pytest.mark.parametrize(("asked", "rate"), [(None, 25), (SampleRate(100), 100)])
async def test_sessions_have_the_rate_of_the_node_unless_they_say_another(
    world: Any, asked: SampleRate | None, rate: float
) -> None:
    world.container("web", 100)
    admission = world.sessions.settings
    world.sessions.settings = evolve(admission, sample_rate=SampleRate(25))
    session = await world.sessions.create(world.request(run=False, sample_rate=asked))
    assert session.sample_rate == SampleRate(rate)
