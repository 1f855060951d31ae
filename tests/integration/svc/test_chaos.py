"""Nodes and svc themselves die, hang and come back while sessions trace the real kernel."""

import http.client
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.node.conftest import Box, Node, StartBox, StartNode, wait_for
from tests.integration.node.test_watching import (
    ON_COMMAND,
    Seen,
    asked,
    blow,
    gate,
    read,
    stuck,
    traced,
    watchers,
)

from .conftest import StartSvc, Svc

__all__ = ["gate"]

pytestmark = pytest.mark.kernel

LONG_STORM_CALLS = 150_000
"""More than queues and the kernel's buffers on the way to a client hold, as text."""

CALM = "import os, time\nwhile True: os.getppid(); time.sleep(0.01)"


def made(svc: Svc, pod: str) -> str:
    """Make a session of the pod's `getppid` that does not run yet; return its path."""
    wanted = {"pod": pod, "trace-hook": "trace_syscalls", "trace-arguments": "-s getppid"}
    answer = svc.ask("POST", "/v1/trace-session", {**wanted, "exporters": []})
    assert answer.status == 201
    return answer.headers["Location"]


def parts(svc: Svc, path: str) -> dict[str, Any]:
    """Describe a session, by node."""
    answer = svc.ask("GET", path)
    assert answer.status == 200
    return {one["Node"]: one for one in answer.json.values()}


def pod_on(box: Box, *nodes: Node) -> str:
    (pod,) = {box.pod(node) for node in nodes}
    return pod


def unread_bytes(port: int) -> int:
    """Count what was sent to a port of this machine and is not read yet."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    mine = [line.split() for line in lines if line.split()[1].endswith(f":{port:04X}")]
    return sum(int(one[4].partition(":")[2], 16) for one in mine)


@contextmanager
def frozen(node: Node) -> Iterator[None]:
    """Let a node do nothing at all for a while; it may be killed meanwhile."""
    os.kill(node.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(node.process.pid, signal.SIGCONT)


def test_sessions_outlive_the_svc_that_made_them_and_belong_to_every_replica(
    start_node: StartNode, start_box: StartBox, start_svc: StartSvc
) -> None:
    box, nodes = start_box(CALM), [start_node(), start_node()]
    names = {node.name for node in nodes}
    maker, replica = start_svc(*nodes), start_svc(*nodes)
    path = made(maker, pod_on(box, *nodes))
    with (
        ThreadPoolExecutor(8) as clients,
        asked(replica, f"{path}/events", Accept="application/x-ndjson") as answer,
    ):
        stream = clients.submit(read, answer)
        cut_off = clients.submit(seen_until_cut_off, maker, path)
        assert maker.ask("PUT", path, {"Run": True}).status == 200
        wait_for(
            lambda: all(one["Statistics"]["Spans"] > 50 for one in parts(replica, path).values()),
            "spans on both nodes",
        )
        maker.process.kill()
        assert cut_off.result(20).spans > 0
        successor = start_svc(*nodes)
        assert set(parts(successor, "/v1/trace-session/all")) == names
        running = parts(successor, path)
        assert {one["State"] for one in running.values()} == {"running"}
        # Whoever changes it, and however often at once: it is done, and no request fails.
        changes = [
            clients.submit(svc.ask, "PUT", path, {"Run": run})
            for run in (True, False)
            for svc in (successor, replica) * 3
        ]
        assert {one.result(30).status for one in changes} <= {200, 409}
        assert successor.ask("PUT", path, {"Run": False}).status == 200
        seen = stream.result(30)
    assert (seen.lines[0]["stream"], seen.lines[0]["id"]) == ("open", path.rpartition("/")[2])
    assert seen.lines[0]["nodes"].keys() == names
    assert (seen.end["state"], seen.end["broken"], seen.end["error"]) == ("stopped", {}, "")
    assert seen.spans + seen.dropped == seen.end["statistics"]["Spans"] > 100
    assert {cpu.partition("/")[0] for cpu in seen.end["statistics"]["AttributedByCpu"]} == names
    with ThreadPoolExecutor(4) as clients:
        deletions = [clients.submit(svc.ask, "DELETE", path) for svc in (successor, replica) * 2]
        statuses = {one.result(30).status for one in deletions}
    assert statuses <= {200, 404}
    assert 200 in statuses
    assert [svc.ask("GET", path).status for svc in (successor, replica)] == [404, 404]
    wait_for(lambda: not any(node.sources() for node in nodes), "the kernel to be as it was")


def seen_until_cut_off(svc: Svc, path: str) -> Seen:
    """Watch a session through a server that dies."""
    seen = Seen()
    with asked(svc, f"{path}/events", Accept="application/x-ndjson") as answer:
        try:
            while line := answer.readline():
                seen.read(line)
        except OSError:
            pass
    return seen


def test_a_node_that_dies_during_requests_or_between_them_is_named_and_the_others_go_on(
    start_node: StartNode, start_box: StartBox, start_svc: StartSvc
) -> None:
    box, node, dying = start_box(CALM), start_node(), start_node()
    port = int(dying.url.rpartition(":")[2])
    svc = start_svc(node, dying, flags=("--node-timeout", "50", "--request-timeout", "50"))
    path = made(svc, pod_on(box, node, dying))
    with (
        ThreadPoolExecutor(2) as clients,
        asked(svc, f"{path}/events", Accept="application/x-ndjson") as answer,
    ):
        stream = clients.submit(read, answer)
        with frozen(dying):
            request = clients.submit(svc.ask, "GET", "/v1/pods")
            wait_for(lambda: unread_bytes(port) > 0, "the request to arrive at the node")
            assert not request.done()
            dying.process.kill()
        during = request.result(30)
        assert (during.status, set(during.failed)) == (200, {dying.name})
        assert during.json

        started = svc.ask("PUT", path, {"Run": True})
        assert (started.status, set(started.failed)) == (200, {dying.name})
        (described,) = svc.ask("GET", path).json.values()
        assert (described["Node"], described["State"]) == (node.name, "running")
        assert [one["node"] for one in described["NodeErrors"]] == [dying.name]
        wait_for(lambda: parts(svc, path)[node.name]["Statistics"]["Spans"] > 50, "spans")
        assert svc.ask("PUT", path, {"Run": False}).status == 200
        seen = stream.result(30)
    told = [line for line in seen.lines if line["stream"] == "node-error"]
    assert [one["node"] for one in told] == list(seen.end["broken"]) == [dying.name]
    assert seen.spans + seen.dropped == parts(svc, path)[node.name]["Statistics"]["Spans"]
    assert seen.end["state"] == "stopped"

    dying.process.wait(10)
    start_node("--node-name", dying.name).stop()  # takes what the dead one left in the kernel
    deleted = svc.ask("DELETE", path)
    assert (deleted.status, set(deleted.failed)) == (200, {dying.name})


def test_what_a_slow_client_of_svc_misses_is_counted_to_the_span(
    start_box: StartBox, gate: Path, start_node: StartNode, start_svc: StartSvc
) -> None:
    stormy = start_box(ON_COMMAND.format(gate=str(gate), calls=LONG_STORM_CALLS))
    node = start_node()
    svc = start_svc(node)
    path = traced(node, stormy)
    with stuck(svc, path) as sleeper:
        wait_for(lambda: watchers(node) == 1, "svc to listen to the node")
        blow(node, path, gate)
        late = http.client.HTTPResponse(sleeper)
        late.begin()
        awake = read(late)
    (described,) = svc.ask("GET", path).json.values()
    spans = described["Statistics"]["Spans"]
    assert awake.spans + awake.dropped == awake.end["statistics"]["Spans"] == spans
    assert awake.dropped > 0
    assert {one["node"] for one in awake.lines if one["stream"] == "dropped"} == {node.name}
    wait_for(lambda: watchers(node) == 0, "svc to hang up")
