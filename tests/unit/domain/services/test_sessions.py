"""The life of sessions on a node of fakes: created, started, stopped, found, deleted."""

import asyncio
from typing import Any

import pytest
from attrs import evolve

from container_tracer.domain.model.isolation import IsolatedContainer
from container_tracer.domain.model.selector import ContainerSelector, NoMatchingContainer
from container_tracer.domain.model.session import SessionState
from container_tracer.domain.model.session_request import (
    HookUnavailable,
    InvalidArguments,
    InvalidRequest,
    TooManySessions,
    UnknownHook,
    UnknownSession,
)
from container_tracer.domain.model.trace_context import SpanContext
from container_tracer.ports.errors import (
    DiscoveryFailed,
    ExportFailed,
    TracingUnavailable,
)

GETPPID = ("getppid", 100, "")


async def balanced(world: Any, session: Any) -> None:
    counts = await world.sessions.statistics(session)
    assert counts.source.balance == 0
    assert set(counts.balances.values()) <= {0}


async def test_a_session_gets_the_calls_of_its_containers_and_nothing_else(world: Any) -> None:
    world.container("web", 100)
    world.container("db", 200)
    session = await world.sessions.create(world.request("web"))
    assert session.running
    assert session.outputs == (f"fake:{session.session_id}",)
    world.call(100, times=3)
    world.call(200, times=5)
    await world.until(lambda: len(world.spans()) == 3)
    await balanced(world, session)
    await world.sessions.stop(session.session_id)
    assert session.state is SessionState.STOPPED
    assert (session.reason, session.error) == ("stopped by request", "")
    assert world.spans() == [GETPPID] * 3
    assert session.statistics.attributed == 6
    assert session.ended_ns >= session.started_ns > 0
    await balanced(world, session)
    await world.gone()


async def test_a_session_is_not_started_unless_asked(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request(run=False))
    assert session.state is SessionState.CREATED
    assert world.kernel.sources == []
    await world.sessions.stop(session.session_id)
    assert session.state is SessionState.CREATED
    assert (await world.sessions.statistics(session)).attributed == 0


async def test_starting_and_stopping_twice_is_as_once(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request(run=False))
    for _ in range(2):
        await world.sessions.start(session.session_id)
    assert len(world.kernel.sources) == len(world.exporter.sinks) == 1
    for reason in ("first", "second"):
        await world.sessions.stop(session.session_id, reason)
    assert session.reason == "first"


async def test_a_stopped_session_runs_again_with_new_numbers(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request())
    for run in (1, 2, 3):
        await world.sessions.start(session.session_id)
        world.call(100, times=run)
        await world.sessions.stop(session.session_id)
        assert session.statistics.spans == run
        assert world.exporter.sinks[-1].closed
        await balanced(world, session)
    assert len(world.spans()) == 1 + 2 + 3


async def test_a_deleted_session_is_unknown(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request())
    await world.sessions.delete(session.session_id)
    assert session.reason == "deleted"
    for verb in (world.sessions.delete, world.sessions.start, world.sessions.stop):
        with pytest.raises(UnknownSession):
            await verb(session.session_id)
    with pytest.raises(UnknownSession):
        world.sessions.get(session.session_id)
    assert world.sessions.list() == ()
    await world.gone()


async def test_deleting_all_is_of_all_there_are(world: Any) -> None:
    world.container("web", 100)
    for run in (True, False, True):
        await world.sessions.create(world.request(run=run))
    ids = [one.session_id for one in world.sessions.list()]
    await asyncio.gather(world.sessions.delete_each(ids), world.sessions.delete(ids[0]))
    await world.sessions.delete_each(ids)
    assert world.sessions.list() == ()
    await world.gone()


@pytest.mark.parametrize("round_", range(8))
async def test_whatever_is_asked_at_once_ends_in_one_state(world: Any, round_: int) -> None:
    """Starts, stops and deletions of one session, in any order, never leave half of it."""
    world.container("web", 100)
    session = await world.sessions.create(world.request(run=False))
    verbs = [world.sessions.start, world.sessions.stop, world.sessions.start]
    verbs.insert(round_ % 4, world.sessions.delete)
    verbs.insert(round_ % 3, world.sessions.stop)
    tasks = []
    for verb in verbs:
        tasks.append(asyncio.create_task(verb(session.session_id), name="verb"))
        for _ in range(round_ * 3):
            await asyncio.sleep(0)
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(end) for end in ends} <= {type(None), UnknownSession}
    assert world.sessions.list() == ()
    assert not session.running
    await world.gone()
    assert all(sink.closed for sink in world.exporter.sinks)


async def test_a_start_that_fails_leaves_the_session_failed_and_nothing_open(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request(run=False))
    world.kernel.failures["open_source"] = TracingUnavailable("No memory for it.")
    with pytest.raises(TracingUnavailable):
        await world.sessions.start(session.session_id)
    assert (session.state, session.error) == (SessionState.FAILED, "No memory for it.")
    assert all(sink.closed for sink in world.exporter.sinks)
    world.kernel.failures.clear()
    await world.sessions.start(session.session_id)
    assert (session.state, session.error) == (SessionState.RUNNING, "")


@pytest.mark.parametrize("method", ["open_source", "start", "counters"])
async def test_created_to_run_and_failing_there_is_no_session(world: Any, method: str) -> None:
    world.container("web", 100)
    world.kernel.failures[method] = TracingUnavailable("The kernel says no.")
    with pytest.raises(TracingUnavailable, match="says no"):
        await world.sessions.create(world.request())
    assert world.sessions.list() == ()
    await world.gone()
    assert all(sink.closed for sink in world.exporter.sinks)


async def test_an_exporter_that_cannot_open_fails_the_start_and_closes_the_others(
    world: Any,
) -> None:
    world.container("web", 100)
    world.other_exporter.failure = "The disk is full."
    with pytest.raises(ExportFailed, match="disk is full"):
        await world.sessions.create(world.request(exporters=("fake", "other")))
    assert [sink.closed for sink in world.exporter.sinks] == [True]
    assert world.kernel.sources == []


async def test_one_exporter_that_fails_costs_the_others_nothing(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request(exporters=("fake", "other", "fake")))
    world.other_exporter.failure = "The collector is down."
    world.call(100, times=4)
    await world.sessions.stop(session.session_id)
    assert session.state is SessionState.STOPPED
    assert session.error == "The collector is down."
    counts = session.statistics.exporters
    assert (counts["fake"].delivered, counts["other"].dropped) == (8, 8)
    await balanced(world, session)


async def test_a_session_ends_when_its_time_is_over(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request(duration_ns=20_000_000))
    world.call(100)
    await world.until(lambda: session.state is SessionState.STOPPED)
    assert session.reason == "its duration of 0.02 s is over"
    await world.gone()


async def test_of_two_durations_the_shorter_ends_it(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(
        world.request(duration_ns=3_600_000_000_000, arguments="--time 10")
    )
    await world.until(lambda: session.state is SessionState.STOPPED)
    assert session.reason == "its duration of 0.01 s is over"


async def test_events_after_its_time_are_not_its_own(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request(duration_ns=50_000_000))
    world.call(100, times=2)
    world.clock.advance(0.05)
    world.call(100, times=3)
    await world.until(lambda: session.state is SessionState.STOPPED)
    assert len(world.spans()) == 2
    await balanced(world, session)


async def test_a_session_ends_when_it_has_as_many_events_as_asked(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request(max_events=3))
    world.call(100, times=10)
    await world.until(lambda: session.state is SessionState.STOPPED)
    assert session.reason == "max-events: 3 were reached"
    assert len(world.spans()) == 3
    await balanced(world, session)


async def test_a_session_ends_when_its_containers_are_gone(world: Any) -> None:
    world.container("web", 100, 101)
    session = await world.sessions.create(world.request())
    world.exit(100)
    world.call(101)
    world.exit(101)
    await world.until(lambda: session.state is SessionState.STOPPED)
    assert session.reason == "its containers are gone: pod-web/web"
    assert len(world.spans()) == 1


async def test_calls_that_have_not_returned_are_unfinished_spans(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request())
    world.enter_call(100, "read")
    await world.sessions.stop(session.session_id)
    assert world.spans() == [("read", 100, "3")]
    await balanced(world, session)


async def test_a_reader_that_dies_ends_its_sessions_with_the_reason(world: Any) -> None:
    world.container("web", 100)
    sessions = [await world.sessions.create(world.request()) for _ in range(2)]
    world.kernel.failures["read"] = TracingUnavailable("The pipe broke.")
    world.call(100)
    await world.until(lambda: not any(one.running for one in sessions))
    for session in sessions:
        assert session.state is SessionState.FAILED
        assert session.reason == "reading the kernel's events failed: The pipe broke."
        assert "The pipe broke." in session.error
    await world.gone()
    world.kernel.failures.clear()
    await world.sessions.start(sessions[0].session_id)
    world.call(100)
    await world.sessions.stop(sessions[0].session_id)
    assert world.spans() == [GETPPID]


@pytest.mark.parametrize("method", ["stop", "read", "counters", "unfollow"])
async def test_a_stop_that_fails_still_lets_everything_go(world: Any, method: str) -> None:
    world.container("web", 100)
    world.container("db", 200)
    first = await world.sessions.create(world.request("web"))
    second = await world.sessions.create(world.request("db"))
    world.kernel.failures[method] = TracingUnavailable("The kernel says no.")
    await world.sessions.stop(first.session_id)
    await world.sessions.stop(second.session_id)
    assert not first.running
    assert not second.running
    assert "says no" in first.error + second.error
    assert all(sink.closed for sink in world.exporter.sinks)
    await world.gone()


async def test_who_hangs_up_while_a_session_is_created_leaves_none(world: Any) -> None:
    world.container("web", 100)
    for patience in range(0, 60, 3):
        creating = asyncio.create_task(world.sessions.create(world.request()), name="create")
        for _ in range(patience):
            await asyncio.sleep(0)
        creating.cancel()
        await asyncio.wait([creating])
        if not creating.cancelled():
            await world.sessions.delete(creating.result().session_id)
        assert world.sessions.list() == ()
    await world.gone()
    assert all(sink.closed for sink in world.exporter.sinks)


async def test_who_hangs_up_while_a_session_stops_has_stopped_it(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request())
    for patience in range(0, 40, 2):
        await world.sessions.start(session.session_id)
        world.call(100)
        stopping = asyncio.create_task(world.sessions.stop(session.session_id), name="stop")
        for _ in range(patience + 1):
            await asyncio.sleep(0)
        stopping.cancel()
        await asyncio.wait([stopping])
        await world.until(lambda: not session.running)
        assert session.state is SessionState.STOPPED
    assert len(world.spans()) == len(world.exporter.sinks) == 20
    await world.gone()


async def test_a_run_that_ends_itself_does_not_end_the_next(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request(max_events=1))
    for _ in range(20):
        world.call(100)
        stop = asyncio.create_task(world.sessions.stop(session.session_id), name="stop")
        start = asyncio.create_task(world.sessions.start(session.session_id), name="start")
        await asyncio.gather(stop, start)
        if session.state is SessionState.STOPPED:  # it ended itself after the start came
            await world.sessions.start(session.session_id)
        assert session.state is SessionState.RUNNING
        assert session.statistics.spans == 0


async def test_there_are_only_so_many_sessions_however_fast_they_come(world: Any) -> None:
    world.container("web", 100)
    wanted = [world.sessions.create(world.request(run=False)) for _ in range(20)]
    ends = await asyncio.gather(*wanted, return_exceptions=True)
    assert sum(isinstance(end, TooManySessions) for end in ends) == 12
    assert len(world.sessions.list()) == 8


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"hook": "trace_everything"}, UnknownHook, "trace_syscalls"),
        ({"arguments": "-s nosuchcall"}, InvalidArguments, "nosuchcall"),
        ({"arguments": "--pid 1"}, InvalidArguments, "--pid"),
        ({"exporters": ("pigeon",)}, InvalidRequest, "fake, other"),
    ],
)
async def test_a_request_that_cannot_be_is_refused(
    world: Any, changes: dict[str, Any], error: type[Exception], said: str
) -> None:
    world.container("web", 100)
    with pytest.raises(error, match=said):
        await world.sessions.create(world.request(**changes))
    assert world.sessions.list() == ()


async def test_virtual_machines_are_refused_and_the_others_traced(world: Any) -> None:
    world.container("web", 100)
    kata = world.container("db", 200, isolated=True)
    session = await world.sessions.create(world.request())
    assert [one.name for one in session.containers] == ["web"]
    assert [one.container.key for one in session.refused] == [kata.key]
    world.call(100)
    world.call(200)
    await world.sessions.stop(session.session_id)
    assert [tid for _, tid, _ in world.spans()] == [100]


async def test_a_session_of_virtual_machines_alone_is_refused_unless_it_asks_for_them(
    world: Any,
) -> None:
    world.container("db", 200, isolated=True)
    with pytest.raises(IsolatedContainer, match="runs in a virtual machine"):
        await world.sessions.create(world.request())
    assert world.sessions.list() == ()
    session = await world.sessions.create(world.request(vmm=True))
    assert ([one.name for one in session.containers], session.refused) == (["db"], ())
    world.call(200)
    await world.sessions.stop(session.session_id)
    assert [tid for _, tid, _ in world.spans()] == [200]


async def test_a_session_that_starts_later_refuses_what_is_there_then(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request(run=False))
    kata = world.container("db", 200, isolated=True)
    await world.sessions.start(session.session_id)
    assert [one.name for one in session.containers] == ["web"]
    assert [one.container.key for one in session.refused] == [kata.key]


async def test_sessions_of_two_namespaces_are_told_apart_by_their_own_spans(world: Any) -> None:
    for tid, namespace in ((100, "blue"), (200, "green")):
        world.container("web", tid, namespace=namespace)
    for tid, namespace in ((100, "blue"), (200, "green")):
        selector = ContainerSelector(pod="pod-*", namespace=namespace)
        session = await world.sessions.create(world.request(selector=selector))
        assert [one.namespace for one in session.containers] == [namespace]
        world.call(100)
        world.call(200)
        await world.sessions.stop(session.session_id)
        assert {seen for _, seen, _ in world.spans(session.session_id)} == {tid}
    assert [sink.context.pod for sink in world.exporter.sinks] == ["blue/pod-*", "green/pod-*"]


async def test_no_container_or_no_discovery_is_no_session(world: Any) -> None:
    world.container("web", 100)
    with pytest.raises(NoMatchingContainer):
        await world.sessions.create(world.request("db"))
    world.discovery.failure = DiscoveryFailed("/proc cannot be read.")
    world.clock.advance(1)
    with pytest.raises(DiscoveryFailed):
        await world.sessions.create(world.request())
    assert world.sessions.list() == ()


async def test_without_kernel_tracing_that_is_the_reason_whatever_the_arguments(
    world: Any,
) -> None:
    world.container("web", 100)
    reason = "tracefs is not mounted."
    world.kernel.failures["event_names"] = TracingUnavailable(reason)
    for arguments in ("", "-s nosuchcall"):
        with pytest.raises(TracingUnavailable, match=reason):
            await world.sessions.create(world.request(arguments=arguments))
    assert world.sessions.unavailable() == reason
    assert world.sessions.catalogue.unavailable(world.sessions.hooks[0]) == reason
    world.kernel.failures.clear()
    assert world.sessions.unavailable() == ""
    await world.sessions.create(world.request())


async def test_a_kernel_that_lacks_what_the_hook_needs_is_said_so(world: Any) -> None:
    world.container("web", 100)
    world.kernel.formats = {
        name: text for name, text in world.kernel.formats.items() if "syscalls:" not in name
    }
    with pytest.raises(HookUnavailable, match="no events for system calls"):
        await world.sessions.create(world.request(arguments="-s read"))


async def test_what_a_crash_left_is_removed_and_no_tracing_is_no_error(world: Any) -> None:
    world.kernel.leftovers = ["container-tracer_node-1_00000000"]
    world.sessions.prepare()
    assert world.kernel.leftovers == []
    world.kernel.failures["remove_leftovers"] = TracingUnavailable("No tracefs.")
    world.sessions.prepare()


async def test_closed_everything_has_stopped_and_nothing_starts(world: Any) -> None:
    world.container("web", 100)
    sessions = [await world.sessions.create(world.request()) for _ in range(3)]
    starting = asyncio.create_task(world.sessions.create(world.request()), name="create")
    for _ in range(5):
        await asyncio.sleep(0)
    world.call(100)
    await world.sessions.close()
    await asyncio.wait([starting])
    assert world.kernel.open_sources == []
    assert {one.reason for one in sessions} == {"the node shut down"}
    assert {one.state for one in sessions} == {SessionState.STOPPED}
    assert all(sink.closed for sink in world.exporter.sinks)
    with pytest.raises(TracingUnavailable, match="shutting down"):
        await world.sessions.start(sessions[0].session_id)


async def test_numbers_once_given_do_not_change(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request())
    world.call(100)
    await world.until(lambda: len(world.spans()) == 1)
    before = await world.sessions.statistics(session)
    assert before.exporters["fake"].delivered == 2
    world.call(100)
    await world.until(lambda: len(world.spans()) == 2)
    assert before.exporters["fake"].delivered == 2
    assert set(before.balances.values()) == {0}
    balances = await world.sessions.sources()
    assert [one.balance for one in balances.values()] == [0]
    assert [one.attributed for one in balances.values()] == [4]


def caller(number: int) -> SpanContext:
    return SpanContext(trace_id=bytes([number] * 16), span_id=bytes([number] * 8))


def traces(world: Any) -> list[tuple[bytes, bytes]]:
    """Return trace and parent of each run's own span."""
    ours = (sink.context.trace for sink in world.exporter.sinks)
    return [(one.trace_id, one.parent_span_id) for one in ours]


async def test_each_run_is_in_the_trace_of_whoever_started_it_last_or_made_it(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(evolve(world.request(run=False), caller=caller(1)))
    assert session.trace_id == b""
    for started_by in (None, caller(2), None):
        await world.sessions.start(session.session_id, caller=started_by)
        await world.sessions.stop(session.session_id)
    assert traces(world) == [(bytes([n] * 16), bytes([n] * 8)) for n in (1, 2, 2)]
    assert session.trace_id == bytes([2] * 16)


async def test_who_starts_a_session_that_runs_does_not_take_it_over(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(evolve(world.request(), caller=caller(1)))
    await world.sessions.start(session.session_id, caller=caller(2))
    assert (session.caller, session.trace_id) == (caller(1), bytes([1] * 16))


async def test_without_a_caller_each_run_has_a_trace_of_its_own(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request())
    first = session.trace_id
    await world.sessions.stop(session.session_id)
    world.clock.advance(1)
    await world.sessions.start(session.session_id)
    (one, no_parent), (two, _) = traces(world)
    assert (one, two, no_parent) == (first, session.trace_id, b"")
    assert one != two


async def test_a_session_is_found_by_its_id_or_with_its_group(world: Any) -> None:
    world.container("web", 100)
    first, second, alone = [
        await world.sessions.create(evolve(world.request(run=False), group=group))
        for group in ("7", "7", "")
    ]
    assert world.sessions.find("7") == [first, second]
    assert world.sessions.find(second.session_id) == [second]
    assert world.sessions.find(alone.session_id) == [alone]
    for unknown in ("8", ""):
        with pytest.raises(UnknownSession):
            world.sessions.find(unknown)


async def test_a_group_that_is_named_like_a_session_does_not_hide_it(world: Any) -> None:
    world.container("web", 100)
    victim = await world.sessions.create(world.request(run=False))
    namesake = evolve(world.request(run=False), group=victim.session_id)
    await world.sessions.create(namesake)
    assert world.sessions.find(victim.session_id) == [victim]
