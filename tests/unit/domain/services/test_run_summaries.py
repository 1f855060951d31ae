"""The summary of a session: of its latest run, while it lasts and after."""

from typing import Any


async def counts(world: Any, session: Any) -> dict[str, int]:
    run = await world.sessions.summary(session)
    assert run.summary.spans == run.statistics.spans
    assert run.summary.incomplete == run.statistics.incomplete_spans
    return {one.name: one.count for one in run.summary.calls()}


async def test_it_counts_what_the_session_passes_on_and_nothing_else(world: Any) -> None:
    world.container("web", 100)
    world.container("db", 200)
    session = await world.sessions.create(world.request("web", arguments="-s getppid read"))
    for tid in (100, 200):
        world.call(tid, times=3)
        world.call(tid, "openat")
        world.call(tid, "read", result=-2)
    await world.until(lambda: session.statistics.spans == 4)
    assert await counts(world, session) == {"getppid": 3, "read": 1}
    run = await world.sessions.summary(session)
    errors = {one.name: one.errors for one in run.summary.calls()}
    assert errors == {"getppid": 0, "read": 1}
    assert run.started_ns == session.started_ns < run.until_ns
    await world.sessions.stop(session.session_id)


async def test_a_session_without_exporters_counts_too(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request(exporters=()))
    world.call(100, times=5)
    await world.sessions.stop(session.session_id)
    assert await counts(world, session) == {"getppid": 5}


async def test_after_a_stop_it_is_whole_and_stays(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request())
    world.call(100, times=2)
    world.enter_call(100, "read")
    await world.sessions.stop(session.session_id)
    assert await counts(world, session) == {"getppid": 2, "read": 1}
    assert (await world.sessions.summary(session)).until_ns == session.ended_ns


async def test_a_new_run_begins_from_nothing(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request())
    world.call(100, times=2)
    await world.sessions.stop(session.session_id)
    await world.sessions.start(session.session_id)
    assert await counts(world, session) == {}
    world.call(100)
    await world.sessions.stop(session.session_id)
    assert await counts(world, session) == {"getppid": 1}


async def test_one_that_never_ran_has_no_times_and_no_calls(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request(run=False))
    run = await world.sessions.summary(session)
    assert (run.started_ns, run.until_ns, run.summary.calls()) == (0, 0, [])
