import asyncio

import pytest

from container_tracer.domain.model.nodes import Node, Nodes
from container_tracer.domain.services.node_roster import NodeRoster
from container_tracer.entrypoints.svc import known_nodes as module
from container_tracer.entrypoints.svc.known_nodes import known_nodes
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.node_directory import FakeNodeDirectory
from container_tracer.ports.errors import DiscoveryFailed

KNOWN = Nodes(ready=(Node(name="worker-1", host="10.0.0.1", port=8080),))


def roster_of(directory: FakeNodeDirectory) -> NodeRoster:
    return NodeRoster(directory=directory, clock=FakeClock())


async def test_nodes_are_known_when_the_block_begins_and_no_task_is_left_after_it() -> None:
    directory = FakeNodeDirectory(known=KNOWN)
    roster = roster_of(directory)
    async with known_nodes(roster):
        assert roster.nodes() == KNOWN
        assert not directory.closed
    assert directory.closed
    assert [one for one in asyncio.all_tasks() if one is not asyncio.current_task()] == []


async def test_a_cluster_that_is_away_delays_nobody_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FIRST_SECONDS", 0.05)
    directory = FakeNodeDirectory(failure=DiscoveryFailed("Away."))
    roster = roster_of(directory)
    async with known_nodes(roster):
        assert roster.stale() == "The nodes are not known: Away."


async def test_svc_does_not_go_on_without_whoever_keeps_its_nodes() -> None:
    class Mortal(NodeRoster):
        async def run(self) -> None:
            raise ZeroDivisionError

    roster = Mortal(directory=FakeNodeDirectory(), clock=FakeClock())
    with pytest.raises(ExceptionGroup):
        async with known_nodes(roster):
            await asyncio.Event().wait()
