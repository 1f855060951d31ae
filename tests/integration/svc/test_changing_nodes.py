"""Nodes come and go while many requests are under way: those that stay have a part in each."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from container_tracer.adapters.http.node_client import HttpNodeClient
from container_tracer.adapters.system.clock import SystemClock
from container_tracer.domain.model.broadcast import Replies, merged_members
from container_tracer.domain.model.nodes import Node, Nodes
from container_tracer.domain.services.broadcast import Broadcast
from container_tracer.domain.services.node_roster import NodeRoster
from container_tracer.fakes.node_directory import FakeNodeDirectory
from container_tracer.ports.node_client import NodeRequest

from .rough_nodes import RoughNode, StartRough, pods

REQUEST = NodeRequest(method="GET", target="/v1/pods")
CLIENTS, ROUNDS = 10, 30


def node(name: str, rough: RoughNode) -> Node:
    host, _, port = rough.where.rpartition(":")
    return Node(name=name, host=host, port=int(port))


@pytest.fixture
async def client() -> AsyncIterator[HttpNodeClient]:
    one = HttpNodeClient()
    yield one
    await one.close()


async def test_no_request_fails_for_nodes_that_stay_while_others_come_go_and_move(
    start_rough: StartRough, client: HttpNodeClient
) -> None:
    staying = [node(f"stay-{n}", await start_rough(pods(f"stay-{n}"))) for n in range(3)]
    moving = [await start_rough(pods("moving")) for _ in range(2)]
    gone = Node(name="gone", host="127.0.0.1", port=1)
    lists = [
        Nodes(ready=(*staying, node("moving", moving[0]))),
        Nodes(ready=(gone, *staying), unready={"moving": "its pod is not ready"}),
        Nodes(ready=(node("moving", moving[1]), *reversed(staying))),
        Nodes(ready=tuple(staying)),
    ]
    directory = FakeNodeDirectory(known=lists[0])
    roster = NodeRoster(directory=directory, clock=SystemClock(), poll_seconds=3600)
    keeping = asyncio.create_task(roster.run())
    await roster.known()
    broadcast = Broadcast(nodes=roster.nodes, client=client)
    answers: list[Replies] = []

    async def load() -> None:
        answers.extend([await broadcast.ask(REQUEST) for _ in range(ROUNDS)])

    loads = [asyncio.create_task(load()) for _ in range(CLIENTS)]
    for turn in range(ROUNDS * CLIENTS):
        directory.change(lists[turn % len(lists)])
        await asyncio.wait(loads, timeout=0.002)
    await asyncio.gather(*loads)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)

    assert len(answers) == CLIENTS * ROUNDS
    for replies in answers:
        assert {one.name for one in staying} <= json.loads(merged_members(replies)).keys()
        assert {one.node for one in replies.errors} <= {"gone", "moving"}
    parts = {frozenset(one.node for one in replies.done) for replies in answers}
    assert len(parts) > 1, "the list did not change under way"
    assert all(one.asked for one in moving)
