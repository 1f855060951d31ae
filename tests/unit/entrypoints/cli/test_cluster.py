"""Commands against the API of a cluster: several nodes, some of which fail."""

import json
from typing import Any

import pytest

LATE = {"node": "worker-3", "status": 0, "title": "", "detail": "It does not answer within 10 s."}
SENTENCE = "worker-3: It does not answer within 10 s."


def container(name: str, node: str) -> dict[str, Any]:
    return {"Id": name, "Pod": name, "Node": node}


@pytest.fixture
def cluster(tracer_api: Any) -> Any:
    tracer_api.nodes, tracer_api.failed = ["worker-1", "worker-2"], [LATE]
    tracer_api.pods = {
        name: {"Containers": {name: container(name, node)}}
        for name, node in (("web", "worker-1"), ("db", "worker-2"))
    }
    return tracer_api


async def test_pods_of_some_nodes_are_listed_and_the_others_named(
    commands: Any, cluster: Any
) -> None:
    ran = await commands.run("pods", "--node", "worker-[12]", "--node", "worker-3")
    assert [line.split()[1] for line in ran.out.splitlines()] == ["POD", "web", "db"]
    assert (ran.code, ran.err) == (0, f"{SENTENCE}\n")
    assert cluster.queries == [{"node": "worker-[12],worker-3"}]


async def test_documents_have_the_nodes_they_lack(commands: Any, cluster: Any) -> None:
    ran = await commands.run("pods", "-o", "json")
    assert json.loads(ran.out) == {**cluster.pods, "NodeErrors": [LATE]}
    assert ran.err == f"{SENTENCE}\n"


async def test_a_hook_that_some_nodes_lack_says_where(commands: Any, tracer_api: Any) -> None:
    hook = {"Name": "trace_block", "Available": True, "Description": ["Block I/O."]}
    lacking = {**hook, "UnavailableOn": {"worker-2": "it has no block devices"}}
    tracer_api.hooks = {"ftrace": {"Tracers": {"trace_block": lacking}}}
    listed = (await commands.run("hooks")).out
    assert "in part    Not on worker-2. Block I/O." in listed
    told = (await commands.run("hooks", "trace_block")).out
    assert "Not available on worker-2: it has no block devices" in told


async def test_a_trace_of_several_nodes_says_whose_a_call_is_and_who_is_missing(
    commands: Any, cluster: Any, lines: Any
) -> None:
    gone = {"stream": "node-error", "node": "worker-2", "detail": "It broke its answer off."}
    end = lines.end(error="worker-2: It broke its answer off.", broken={"worker-2": "It did."})
    cluster.script = [lines.span(), gone, lines.span(node="worker-2"), end]
    ran = await commands.run("trace", "shop", "web", "trace_syscalls")
    header, first, second = ran.out.splitlines()
    assert header.split() == ["TIME", "NODE", "CONTAINER", "TASK", "DURATION", "CALL"]
    assert [line.split()[1] for line in (first, second)] == ["worker-1", "worker-2"]
    assert ran.err.splitlines()[:2] == [SENTENCE, "worker-2: It broke its answer off."]
    assert "Failed" not in ran.err
    assert ran.err.splitlines()[-1] == "Not complete, these nodes failed: worker-3, worker-2."
    assert ran.code == 0
    assert cluster.sessions == {}


async def test_a_node_that_failed_is_a_loss_where_that_matters(
    commands: Any, cluster: Any, lines: Any
) -> None:
    cluster.script = [lines.end()]
    ran = await commands.run("trace", "shop", "trace_syscalls", "--fail-on-loss", "-o", "json")
    assert ran.code == 4
    assert SENTENCE in ran.err


async def test_containers_of_many_nodes_are_counted_together(
    commands: Any, cluster: Any, lines: Any
) -> None:
    joined = {"stream": "container", "change": "joined", "container": "web", "containers": 1}
    cluster.script = [{**joined, "node": "worker-2"}, lines.end()]
    ran = await commands.run("trace", "shop", "trace_syscalls")
    assert "web joined on worker-2." in ran.err


async def test_a_session_is_one_row_however_many_parts_it_has(commands: Any, cluster: Any) -> None:
    await commands.run("trace", "shop", "trace_syscalls", "--keep")
    (handle,) = cluster.sessions
    commands.out.seek(0)
    commands.out.truncate()
    ran = await commands.run("sessions", "list")
    header, row = ran.out.splitlines()
    assert header.split()[-1] == "NODE"
    assert (row.split()[0], row.split()[1], row.split()[-2:]) == (
        handle,
        "running",
        ["2", "nodes"],
    )
    shown = (await commands.run("sessions", "show", handle)).out
    assert [line.split()[1] for line in shown.splitlines() if line.startswith("  Node:")] == [
        "worker-1",
        "worker-2",
    ]
    for verb in ("stop", "start", "delete"):
        assert (await commands.run("sessions", verb, handle)).code == 0
    assert set(ran.err.splitlines()) == {SENTENCE}


def summary(node: str, p50: int, bucket: int) -> dict[str, Any]:
    call = {"Name": "read", "Pod": f"web-{node}", "Container": "web", "Count": 10}
    numbers = {"P50Ns": p50, "MaxNs": 10**9, "TotalNs": 100, "Buckets": {str(bucket): 10}}
    times = {"StartedNs": 10**9, "UntilNs": 3 * 10**9}
    return {"Node": node, "State": "running", "Spans": 10, "Calls": [{**call, **numbers}], **times}


async def test_top_shows_nodes_side_by_side_or_adds_them_up(commands: Any, cluster: Any) -> None:
    cluster.summaries = {"1": summary("worker-1", 9, 64), "2": summary("worker-2", 99, 640)}
    once = ("--count", "1", "--interval", "0.1")
    ran = await commands.run("top", *once)
    assert sorted(line.split()[-1] for line in ran.out.splitlines()[2:4]) == [
        "worker-1",
        "worker-2",
    ]
    assert SENTENCE in ran.out
    commands.out.seek(0)
    commands.out.truncate()
    ran = await commands.run("top", *once, "--by", "call", "-o", "json")
    document = json.loads(ran.out)
    (call,) = document["1"]["Calls"]
    assert (call["Name"], call["Count"], call["TotalNs"], call["Pod"]) == ("read", 20, 200, "")
    assert call["P50Ns"] < 10 < call["P95Ns"]
    assert document["NodeErrors"] == [LATE]
    assert cluster.queries[-1] == {"buckets": "true"}


@pytest.mark.parametrize(
    ("by", "places"),
    [("node", ["worker-1", "worker-2"]), ("pod", ["web-worker-1", "web-worker-2"])],
)
async def test_top_adds_up_by_node_or_pod(
    commands: Any, cluster: Any, by: str, places: list[str]
) -> None:
    cluster.summaries = {"1": summary("worker-1", 9, 64), "2": summary("worker-2", 99, 640)}
    ran = await commands.run("top", "--count", "1", "--interval", "0.1", "--by", by)
    assert sorted(line.split()[0] for line in ran.out.splitlines()[2:4]) == places


async def test_the_doctor_names_nodes_and_those_that_fail(commands: Any, cluster: Any) -> None:
    found = json.loads((await commands.run("doctor", "-o", "json")).out)["Findings"]
    told = {one["Subject"]: one["What"] for one in found}
    assert told["nodes"] == "It asks 2 nodes; containers are on worker-1, worker-2."
    assert told["node worker-3"] == ("worker-3 cannot be asked: It does not answer within 10 s.")
    del cluster
