"""Sessions of a cluster are made and changed wholly, or not at all."""

import asyncio
from collections.abc import Callable

from container_tracer.domain.model.nodes import Node, Nodes
from container_tracer.domain.services.broadcast import Broadcast
from container_tracer.domain.services.cluster_sessions import ClusterSessions, undoing
from container_tracer.fakes.node_client import FakeNodeClient
from container_tracer.ports.node_client import NodeAnswer, NodeRequest

KNOWN = Nodes(ready=tuple(Node(name=name, host="::1", port=1) for name in ("a", "b")))
MAKE = NodeRequest(
    method="POST",
    target="/v1/trace-session",
    headers={"Authorization": "Bearer x", "Content-Type": "application/json"},
    body=b"{}",
)
STOP = NodeRequest(method="PUT", target="/v1/trace-session/7", body=b"{}")
UNDO = undoing(MAKE, "/v1/trace-session/7")
DONE = NodeAnswer(status=201, content_type="application/json", body=b"{}")


def cluster(client: FakeNodeClient) -> ClusterSessions:
    return ClusterSessions(broadcast=Broadcast(nodes=lambda: KNOWN, client=client, node_seconds=5))


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)


def test_what_is_undone_is_undone_in_the_name_of_the_same_client() -> None:
    assert (UNDO.method, UNDO.body) == ("DELETE", b"")
    assert UNDO.headers == {"Authorization": "Bearer x"}


async def test_sessions_that_are_made_stay() -> None:
    client = FakeNodeClient(answers={"a": DONE})
    sessions = cluster(client)
    replies = await sessions.create(MAKE, patterns=(), undo=UNDO)
    await sessions.close()
    assert len(replies.done) == 1
    assert UNDO not in [request for _, request in client.asked]


async def test_sessions_whose_client_hangs_up_meanwhile_are_deleted_again() -> None:
    gate = asyncio.Event()
    client = FakeNodeClient(answers={"a": DONE, "b": DONE}, hanging={"a": gate})
    sessions = cluster(client)
    making = asyncio.create_task(sessions.create(MAKE, patterns=(), undo=UNDO))
    await until(lambda: len(client.asked) == 2)
    making.cancel()
    await asyncio.wait([making])
    assert making.cancelled()
    assert client.cancelled == []
    gate.set()
    await sessions.close()
    assert sorted(client.asked[2:], key=lambda one: one[0]) == [("a", UNDO), ("b", UNDO)]


async def test_sessions_that_may_have_been_made_though_no_node_says_so_are_deleted() -> None:
    client = FakeNodeClient()
    sessions = cluster(client)
    assert not (await sessions.create(MAKE, patterns=(), undo=UNDO)).done
    await sessions.close()
    assert [request for _, request in client.asked[2:]] == [UNDO, UNDO]


async def test_a_change_is_carried_out_though_its_client_hangs_up() -> None:
    gate = asyncio.Event()
    client = FakeNodeClient(answers={"a": DONE, "b": DONE}, hanging={"a": gate, "b": gate})
    sessions = cluster(client)
    change = asyncio.create_task(sessions.change(STOP, patterns=()))
    await until(lambda: len(client.asked) == 2)
    change.cancel()
    await asyncio.wait([change])
    gate.set()
    await sessions.close()
    assert client.cancelled == []
