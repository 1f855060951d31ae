import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from structlog.testing import capture_logs

from container_tracer.domain.model.discovery_choice import DiscoveryChoice
from container_tracer.domain.model.pod import Container, Pod
from container_tracer.domain.services.chosen_discovery import (
    AGAIN_SECONDS,
    FORCED,
    ChosenDiscovery,
)
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.container_runtimes import FakeContainerRuntime, FakeContainerRuntimes
from container_tracer.fakes.pod_discovery import FakePodDiscovery
from container_tracer.ports.errors import DiscoveryFailed, RuntimeUnsuitable

AWAY = DiscoveryFailed("It cannot be reached.")


def pod(name: str) -> Pod:
    return Pod(name=name, containers=(Container(name="main", pod=name, container_id=f"id-{name}"),))


@pytest.fixture
def runtimes() -> FakeContainerRuntimes:
    return FakeContainerRuntimes()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def make(
    runtimes: FakeContainerRuntimes, clock: FakeClock
) -> AsyncIterator[Callable[..., ChosenDiscovery]]:
    made = []

    def build(*, pod_name: str = "", forced: bool = False) -> ChosenDiscovery:
        fallback = FakePodDiscovery(pods=[pod("found")], runtimes=(4,), name="procfs")
        made.append(
            ChosenDiscovery(
                runtimes=runtimes,
                fallback=fallback,
                clock=clock,
                pod_name=pod_name,
                forced=forced,
            )
        )
        return made[-1]

    yield build
    for one in made:
        await one.close()


async def names(discovery: ChosenDiscovery) -> list[str]:
    return [one.name for one in await discovery.discover()]


async def searched(discovery: ChosenDiscovery) -> None:
    """Wait for a search that nobody waits for."""
    if discovery._search:
        await discovery._search


async def test_without_a_runtime_it_looks_for_itself_and_says_why(
    make: Callable[..., ChosenDiscovery],
) -> None:
    discovery = make()
    assert await names(discovery) == ["found"]
    assert discovery.name == discovery.choice.name == "procfs"
    assert "No socket" in discovery.choice.reason
    assert discovery.choice.runtime == ""


async def test_a_runtime_that_answers_is_asked(
    make: Callable[..., ChosenDiscovery], runtimes: FakeContainerRuntimes
) -> None:
    runtimes.there["/run/a.sock"] = FakeContainerRuntime(pods=[pod("told")], runtimes=(9,))
    discovery = make()
    assert await names(discovery) == ["told"]
    assert discovery.choice == DiscoveryChoice(name="cri", runtime="fake 1.0 at /run/a.sock")
    assert discovery.name == "cri"
    described = await discovery.describe("id-told")
    assert described is not None
    assert described.name == "main"
    assert await discovery.describe("id-found") is None
    assert await discovery.runtime_pids() == (9,)
    assert runtimes.searches == 1


async def test_one_that_does_not_answer_is_the_reason(
    make: Callable[..., ChosenDiscovery], runtimes: FakeContainerRuntimes
) -> None:
    runtimes.there["/run/a.sock"] = FakeContainerRuntime(failure=AWAY)
    discovery = make()
    with capture_logs() as logs:
        assert await names(discovery) == ["found"]
    assert discovery.choice == DiscoveryChoice(name="procfs", reason="It cannot be reached.")
    assert [(one["event"], one["log_level"]) for one in logs] == [("discovery.fallback", "warning")]
    assert runtimes.there["/run/a.sock"].closed == 1


async def test_one_that_appears_later_is_used_from_then_on(
    make: Callable[..., ChosenDiscovery], runtimes: FakeContainerRuntimes, clock: FakeClock
) -> None:
    runtimes.there["/run/a.sock"] = late = FakeContainerRuntime(pods=[pod("told")], failure=AWAY)
    discovery = make()
    assert await names(discovery) == ["found"]
    late.failure = None
    assert await names(discovery) == ["found"]
    assert runtimes.searches == 1
    clock.advance(AGAIN_SECONDS)
    # Nobody waits for a runtime that may hang: the next one who asks has it.
    assert await names(discovery) == ["found"]
    await searched(discovery)
    assert await names(discovery) == ["told"]


async def test_the_same_reason_is_logged_once(
    make: Callable[..., ChosenDiscovery], runtimes: FakeContainerRuntimes, clock: FakeClock
) -> None:
    runtimes.there["/run/a.sock"] = FakeContainerRuntime(failure=AWAY)
    discovery = make()
    with capture_logs() as logs:
        for _ in range(3):
            await discovery.discover()
            await searched(discovery)
            clock.advance(AGAIN_SECONDS)
    assert runtimes.searches == 3
    assert len(logs) == 1


async def test_one_that_was_used_is_kept_while_it_is_away(
    make: Callable[..., ChosenDiscovery], runtimes: FakeContainerRuntimes, clock: FakeClock
) -> None:
    runtimes.there["/run/a.sock"] = runtime = FakeContainerRuntime(pods=[pod("told")])
    discovery = make()
    await discovery.discover()
    runtime.failure = AWAY
    clock.advance(AGAIN_SECONDS)
    with pytest.raises(DiscoveryFailed):
        await discovery.discover()
    runtime.failure = None
    assert await names(discovery) == ["told"]
    assert (runtimes.searches, runtime.closed) == (1, 0)


async def test_one_that_turns_out_to_be_of_no_use_is_given_up(
    make: Callable[..., ChosenDiscovery], runtimes: FakeContainerRuntimes
) -> None:
    runtimes.there["/run/a.sock"] = runtime = FakeContainerRuntime(pods=[pod("told")])
    discovery = make()
    await discovery.discover()
    runtime.failure = RuntimeUnsuitable("It says no pids.")
    assert await names(discovery) == ["found"]
    assert discovery.choice == DiscoveryChoice(name="procfs", reason="It says no pids.")
    assert runtime.closed == 1


async def test_of_several_the_one_that_knows_this_pod_is_asked(
    make: Callable[..., ChosenDiscovery], runtimes: FakeContainerRuntimes
) -> None:
    runtimes.there["/run/docker.sock"] = docker = FakeContainerRuntime(pods=[pod("other")])
    runtimes.there["/run/k3s.sock"] = FakeContainerRuntime(pods=[pod("x"), pod("tracer-1")])
    discovery = make(pod_name="tracer-1")
    assert await names(discovery) == ["x", "tracer-1"]
    assert docker.closed == 1


async def test_none_that_knows_this_pod_is_a_reason(
    make: Callable[..., ChosenDiscovery], runtimes: FakeContainerRuntimes
) -> None:
    runtimes.there["/run/docker.sock"] = FakeContainerRuntime(pods=[pod("other")])
    discovery = make(pod_name="tracer-1")
    assert await names(discovery) == ["found"]
    assert "docker.sock does not know the pod of this tracer, tracer-1" in discovery.choice.reason


async def test_of_several_without_a_name_the_first_with_pods_is_asked(
    make: Callable[..., ChosenDiscovery], runtimes: FakeContainerRuntimes
) -> None:
    runtimes.there["/run/1.sock"] = FakeContainerRuntime()
    runtimes.there["/run/2.sock"] = FakeContainerRuntime(pods=[pod("two")])
    runtimes.there["/run/3.sock"] = FakeContainerRuntime(pods=[pod("three")])
    assert await names(make()) == ["two"]
    assert [one.closed for one in runtimes.there.values()] == [1, 0, 1]


async def test_of_several_without_pods_the_likeliest_is_asked(
    make: Callable[..., ChosenDiscovery], runtimes: FakeContainerRuntimes
) -> None:
    runtimes.there["/run/1.sock"] = FakeContainerRuntime()
    runtimes.there["/run/2.sock"] = FakeContainerRuntime()
    discovery = make()
    await discovery.discover()
    assert discovery.choice.runtime == "fake 1.0 at /run/1.sock"


async def test_where_procfs_is_asked_for_no_runtime_is_looked_for(
    make: Callable[..., ChosenDiscovery], runtimes: FakeContainerRuntimes
) -> None:
    runtimes.there["/run/a.sock"] = FakeContainerRuntime(pods=[pod("told")])
    discovery = make(forced=True)
    assert await names(discovery) == ["found"]
    assert discovery.choice == DiscoveryChoice(name="procfs", reason=FORCED)
    assert runtimes.searches == 0


async def test_all_who_ask_at_first_wait_for_one_search(
    make: Callable[..., ChosenDiscovery], runtimes: FakeContainerRuntimes
) -> None:
    runtimes.there["/run/a.sock"] = FakeContainerRuntime(pods=[pod("told")])
    discovery = make()
    answers = await asyncio.gather(*(names(discovery) for _ in range(5)))
    assert answers == [["told"]] * 5
    assert runtimes.searches == 1


async def test_a_runtime_whose_listener_cannot_be_seen_is_known_by_its_process(
    make: Callable[..., ChosenDiscovery], runtimes: FakeContainerRuntimes
) -> None:
    runtimes.there["/run/a.sock"] = FakeContainerRuntime(runtimes=())
    assert await make().runtime_pids() == (4,)


async def test_changes_are_those_of_whoever_is_in_use(
    make: Callable[..., ChosenDiscovery], runtimes: FakeContainerRuntimes
) -> None:
    discovery = make()
    assert [item async for item in discovery.changes()] == []
    runtime = FakeContainerRuntime(eventful=True)
    runtime.news.put_nowait(None)
    runtimes.there["/run/a.sock"] = runtime
    chosen = make()
    async for _ in chosen.changes():
        break
    assert runtime.news.empty()


async def test_closing_hangs_up(
    make: Callable[..., ChosenDiscovery], runtimes: FakeContainerRuntimes
) -> None:
    runtimes.there["/run/a.sock"] = runtime = FakeContainerRuntime()
    discovery = make()
    await discovery.discover()
    await discovery.close()
    assert runtime.closed == 1
