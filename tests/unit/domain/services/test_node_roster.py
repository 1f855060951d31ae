import asyncio
from collections.abc import AsyncGenerator

import pytest
from structlog.testing import capture_logs

from container_tracer.domain.model.nodes import Node, Nodes
from container_tracer.domain.services.backoff import Backoff
from container_tracer.domain.services.node_roster import NodeRoster
from container_tracer.domain.services.own_spans import OwnSpans
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.node_directory import FakeNodeDirectory
from container_tracer.ports.errors import ClusterUnavailable, DiscoveryFailed

from .conftest import SeenSpans

ONE = Nodes(ready=(Node(name="worker-1", host="10.0.0.1", port=8080),))
NONE = Nodes()
AWAY = DiscoveryFailed("The API is away.")


@pytest.fixture
def directory() -> FakeNodeDirectory:
    return FakeNodeDirectory(known=ONE)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def roster(directory: FakeNodeDirectory, clock: FakeClock) -> NodeRoster:
    return NodeRoster(directory=directory, clock=clock)


@pytest.fixture
def backoff() -> Backoff:
    return Backoff(draw=lambda: 1.0)


async def until_it_fails(
    roster: NodeRoster, directory: FakeNodeDirectory, backoff: Backoff
) -> float:
    following = asyncio.create_task(roster.follow(backoff))
    await roster.known()
    directory.change(failure=AWAY)
    return await following


async def test_nothing_is_known_before_the_first_list(roster: NodeRoster) -> None:
    assert (roster.nodes(), roster.age_seconds()) == (NONE, None)
    assert roster.stale() == "The nodes are not known yet."


async def test_nodes_are_listed_again_after_the_poll(
    roster: NodeRoster, directory: FakeNodeDirectory, backoff: Backoff
) -> None:
    assert await roster.list_anew(backoff) == 10
    directory.known = NONE
    assert roster.nodes() == ONE
    assert await roster.list_anew(backoff) == 10
    assert roster.nodes() == NONE
    assert (roster.state.lists, roster.state.changes, roster.stale()) == (2, 2, "")


async def test_what_is_known_stays_while_it_cannot_be_listed(
    roster: NodeRoster, directory: FakeNodeDirectory, clock: FakeClock, backoff: Backoff
) -> None:
    await roster.list_anew(backoff)
    directory.failure = AWAY
    pauses = [await roster.list_anew(backoff) for _ in range(8)]
    assert pauses == [0.5, 1, 2, 4, 8, 10, 10, 10]
    clock.advance(95)
    assert roster.nodes() == ONE
    assert roster.stale() == "The nodes are those of 95 s ago: The API is away."
    assert roster.state.failures == 8
    directory.failure = None
    assert await roster.list_anew(backoff) == 10
    assert (roster.stale(), roster.age_seconds()) == ("", 0)


async def test_an_api_that_asks_for_a_pause_gets_it(
    roster: NodeRoster, directory: FakeNodeDirectory, backoff: Backoff
) -> None:
    directory.failure = ClusterUnavailable("Slow down.", status=429, retry_after_seconds=20)
    assert await roster.list_anew(backoff) == 20
    assert await roster.follow(backoff) == 20


async def test_changes_are_taken_in_as_they_come(
    roster: NodeRoster, directory: FakeNodeDirectory, backoff: Backoff
) -> None:
    with capture_logs() as logs:
        following = asyncio.create_task(roster.follow(backoff))
        await roster.known()
        directory.change(NONE)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert roster.nodes() == NONE
        directory.change(failure=AWAY)
        await following
    changed = [one for one in logs if one["event"] == "nodes.changed"]
    assert [(one["came"], one["went"]) for one in changed] == [
        (["worker-1"], []),
        ([], ["worker-1"]),
    ]
    assert (roster.state.lists, roster.state.changes, roster.state.watches) == (1, 2, 1)


async def test_a_watch_that_fails_makes_no_list_stale(
    roster: NodeRoster, directory: FakeNodeDirectory, backoff: Backoff
) -> None:
    await until_it_fails(roster, directory, backoff)
    assert roster.state.watch_failure == "The API is away."
    assert roster.stale() == ""


async def test_a_list_that_fails_as_changes_begin_says_why(
    roster: NodeRoster, directory: FakeNodeDirectory, backoff: Backoff
) -> None:
    directory.failure = AWAY
    await roster.follow(backoff)
    assert roster.stale() == "The nodes are not known: The API is away."


async def test_watches_that_fail_soon_are_begun_less_and_less_often(
    roster: NodeRoster, directory: FakeNodeDirectory, clock: FakeClock, backoff: Backoff
) -> None:
    pauses = []
    for _ in range(3):
        directory.failure = None
        pauses.append(await until_it_fails(roster, directory, backoff))
    assert pauses == [0.5, 1, 2]
    directory.failure = None
    following = asyncio.create_task(roster.follow(backoff))
    await asyncio.sleep(0)
    clock.advance(31)
    directory.change(failure=AWAY)
    assert await following == 0.5


async def test_a_fault_of_ours_ends_nothing_and_is_logged_as_one(
    clock: FakeClock, backoff: Backoff
) -> None:
    class Broken(FakeNodeDirectory):
        async def nodes(self) -> Nodes:
            raise KeyError

        async def changes(self) -> AsyncGenerator[Nodes, None]:
            raise ZeroDivisionError("x")
            yield

    roster = NodeRoster(directory=Broken(), clock=clock)
    with capture_logs() as logs:
        assert await roster.list_anew(backoff) == 0.5
        assert await roster.follow(backoff) == 1
    assert [one["log_level"] for one in logs] == ["error", "error"]
    assert roster.state.failures == 2
    assert roster.stale() == "The nodes are not known: x"


async def test_it_goes_on_through_everything_until_it_is_cancelled(
    roster: NodeRoster, directory: FakeNodeDirectory
) -> None:
    running = asyncio.create_task(roster.run())
    await roster.known()
    directory.change(failure=AWAY)
    while roster.state.failures < 20:  # noqa: ASYNC110 - nothing waits for it but this test
        await asyncio.sleep(0)
    assert roster.nodes() == ONE
    directory.change(NONE)
    while roster.nodes() != NONE:  # noqa: ASYNC110 - likewise
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_every_list_is_a_span_and_so_is_the_one_that_a_watch_begins_with(
    directory: FakeNodeDirectory, clock: FakeClock, backoff: Backoff
) -> None:
    seen = SeenSpans()
    spans = OwnSpans(clock=clock, observers=[seen])
    roster = NodeRoster(directory=directory, clock=clock, spans=spans)
    await until_it_fails(roster, directory, backoff)
    directory.failure = None
    await roster.list_anew(backoff)
    directory.failure = AWAY
    await roster.list_anew(backoff)
    await roster.follow(backoff)
    assert [(one.name, one.status_message) for one in seen.over] == [
        ("node discovery", why) for why in ("", "", str(AWAY), str(AWAY))
    ]
    assert seen.over[0].attributes == {
        "container_tracer.nodes": 1,
        "container_tracer.unready_nodes": 0,
    }
    assert all(one.parent_span_id == b"" for one in seen.over)
