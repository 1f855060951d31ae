"""All nodes are asked at once; those that do not answer keep nobody."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from container_tracer.domain.model.broadcast import NodeRefusal
from container_tracer.domain.model.node_choice import UnknownNode
from container_tracer.domain.model.node_reply import Outcome
from container_tracer.domain.model.nodes import Node, Nodes
from container_tracer.domain.services import broadcast as module
from container_tracer.domain.services.broadcast import Broadcast, check
from container_tracer.fakes.node_client import FakeNodeClient
from container_tracer.ports.errors import NodesFailed, NodeUnreachable, NoNodes
from container_tracer.ports.node_client import NodeAnswer, NodeRequest

PODS = NodeRequest(method="GET", target="/v1/pods")
FULL = NodeAnswer(status=200, content_type="application/json", body=b'{"shop": {}}')


def nodes(*names: str, **unready: str) -> Nodes:
    ready = tuple(Node(name=name, host="10.0.0.1", port=8080) for name in names)
    return Nodes(ready=ready, unready=unready)


def broadcast(client: FakeNodeClient, known: Nodes, **how: Any) -> Broadcast:
    return Broadcast(nodes=lambda: known, client=client, **how)


async def test_every_ready_node_is_asked_and_those_that_are_not_are_named() -> None:
    client = FakeNodeClient(answers={"a": FULL, "b": FULL})
    replies = await broadcast(client, nodes("b", "a", c="starts")).ask(PODS)
    assert sorted(name for name, _ in client.asked) == ["a", "b"]
    assert [one.node for one in replies.done] == ["a", "b"]
    assert [one.node for one in replies.errors] == ["c"]
    check(replies)


async def test_only_nodes_that_are_meant_are_asked() -> None:
    client = FakeNodeClient(answers={"a": FULL, "b": FULL})
    asking = broadcast(client, nodes("a", "b"))
    await asking.ask(PODS, patterns=["b"])
    assert client.asked == [("b", PODS)]
    with pytest.raises(UnknownNode):
        await asking.ask(PODS, patterns=["c"])


async def test_a_node_that_hangs_is_given_up_and_delays_no_other_request() -> None:
    client = FakeNodeClient(answers={"a": FULL}, hanging={"b": asyncio.Event()})
    known = nodes("a", "b")
    slow = asyncio.create_task(broadcast(client, known, node_seconds=3600).ask(PODS))
    while len(client.asked) < 2:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0)
    quick = await broadcast(client, known).ask(PODS, patterns=["a"])
    assert [one.node for one in quick.done] == ["a"]
    assert not slow.done()
    slow.cancel()
    await asyncio.wait([slow])
    assert client.cancelled == ["b"]
    late = await broadcast(client, known, node_seconds=0.01).ask(PODS)
    assert [one.node for one in late.done] == ["a"]
    assert [(one.node, one.detail) for one in late.errors] == [
        ("b", "does not answer within 0.01 s")
    ]


async def test_a_request_has_a_deadline_of_its_own() -> None:
    client = FakeNodeClient(hanging={"a": asyncio.Event()})
    one = broadcast(client, nodes("a"), node_seconds=3600, request_seconds=0.01)
    assert len((await one.ask(PODS)).failed) == 1


async def test_without_a_node_that_is_ready_the_reason_is_told() -> None:
    with pytest.raises(NoNodes, match="no tracer-node is known"):
        await broadcast(FakeNodeClient(), nodes()).ask(PODS)
    with pytest.raises(NoNodes, match="a: image is being pulled"):
        await broadcast(FakeNodeClient(), nodes(a="image is being pulled")).ask(PODS)


async def test_what_came_of_asking_is_counted_and_failures_are_logged() -> None:
    absent = NodeAnswer(status=404, content_type="application/problem+json", body=b"{}")
    client = FakeNodeClient(answers={"a": FULL, "b": absent})
    one = broadcast(client, nodes("a", "b", "c"))
    with capture_logs() as logs:
        for _ in range(2):
            await one.ask(PODS)
    assert one.outcomes == {Outcome.DONE: 2, Outcome.ABSENT: 2, Outcome.FAILED: 2}
    assert [(line["event"], line["nodes"], line["said"]) for line in logs] == [
        ("broadcast.nodes_failed", 1, "c: refuses connections")
    ] * 2


async def test_where_every_node_fails_they_are_named() -> None:
    client = FakeNodeClient(answers={"a": NodeUnreachable("closed the connection")})
    replies = await broadcast(client, nodes("a", "b")).ask(PODS)
    with pytest.raises(NodesFailed, match="a: closed the connection; b: refuses connections"):
        check(replies)


async def test_a_refusal_is_raised_where_nobody_did_what_was_asked() -> None:
    no = NodeAnswer(status=404, content_type="application/problem+json", body=b'{"detail": "No."}')
    client = FakeNodeClient(answers={"a": no, "b": no})
    with pytest.raises(NodeRefusal, match=r"^No\.$"):
        check(await broadcast(client, nodes("a", "b")).ask(PODS))


async def test_answers_that_are_too_large_together_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "ON_THE_SIDE_BYTES", 10)
    client = FakeNodeClient(answers=dict.fromkeys("abc", FULL))
    replies = await broadcast(client, nodes("a", "b", "c"), max_bytes=2 * len(FULL.body)).ask(PODS)
    assert len(replies.done) == 2
    assert [one.title for one in replies.errors] == ["Answer too large"]
    assert "too large" in replies.errors[0].detail
