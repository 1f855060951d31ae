"""What those who watch a session see of its life."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from container_tracer.domain.model.session import SessionState
from container_tracer.domain.services.watcher import Ended, Watcher
from container_tracer.fakes.clock import FakeClock
from container_tracer.ports.errors import TracingUnavailable


class Still(FakeClock):
    """Time that never passes."""

    async def sleep(self, seconds: float) -> None:
        del seconds
        await asyncio.Event().wait()


@pytest.fixture
def node(world: Any) -> Any:
    world.container("web", 100)
    world.sessions.live.clock = Still()
    return world


def count(lines: Sequence[str]) -> bytes:
    return b"." * len(lines)


async def end_of(watcher: Watcher) -> tuple[int, Ended]:
    spans = 0
    async with asyncio.timeout(10):
        while not isinstance(item := await watcher.next(), Ended):
            assert isinstance(item, bytes)
            spans += len(item)
    return spans, item


async def test_they_see_all_its_spans_also_unfinished_ones_and_then_its_end(node: Any) -> None:
    session = await node.sessions.create(node.request(run=False))
    with node.sessions.watching(session, count) as watcher:
        await node.sessions.start(session.session_id)
        node.call(100, times=5)
        await node.until(lambda: len(node.spans()) == 5)
        node.call(100, times=2)
        node.enter_call(100, "read")
        await node.sessions.stop(session.session_id)
        spans, end = await end_of(watcher)
    assert spans == end.statistics.spans == 8
    assert (end.state, end.reason) == (SessionState.STOPPED, "stopped by request")


async def test_one_that_ends_by_itself_says_why(node: Any) -> None:
    session = await node.sessions.create(node.request(max_events=3))
    with node.sessions.watching(session, count) as watcher:
        node.call(100, times=9)
        spans, end = await end_of(watcher)
    assert spans == 3
    assert end.reason.startswith("max-events")


@pytest.mark.parametrize("run", [True, False])
async def test_a_deleted_one_ends(node: Any, run: bool) -> None:
    session = await node.sessions.create(node.request(run=run))
    with node.sessions.watching(session, count) as watcher:
        await node.sessions.delete(session.session_id)
        _, end = await end_of(watcher)
    assert end.reason == "deleted"
    assert end.state == (SessionState.STOPPED if run else SessionState.CREATED)


async def test_one_that_cannot_be_started_says_why(node: Any) -> None:
    session = await node.sessions.create(node.request(run=False))
    node.kernel.failures["open_source"] = TracingUnavailable("No memory for it.")
    with node.sessions.watching(session, count) as watcher:
        with pytest.raises(TracingUnavailable):
            await node.sessions.start(session.session_id)
        _, end = await end_of(watcher)
    assert (end.state, end.error) == (SessionState.FAILED, "No memory for it.")


async def test_with_the_node_all_end(node: Any) -> None:
    running = await node.sessions.create(node.request())
    created = await node.sessions.create(node.request(run=False))
    with (
        node.sessions.watching(running, count) as one,
        node.sessions.watching(created, count) as other,
    ):
        assert node.sessions.watchers() == (2, 0)
        await node.sessions.close()
        assert [(await end_of(each))[1].reason for each in (one, other)] == [
            "the node shut down"
        ] * 2
