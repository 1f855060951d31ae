"""Sessions on several nodes through one svc, traced in the real kernel."""

import pytest

from tests.integration.node.conftest import StartBox, StartNode, wait_for

from .conftest import StartSvc, free_port

pytestmark = pytest.mark.kernel


def test_a_session_lives_on_all_nodes_by_one_id(
    start_node: StartNode, start_box: StartBox, start_svc: StartSvc
) -> None:
    box, nodes = start_box(), [start_node(), start_node()]
    (pod,) = {box.pod(node) for node in nodes}
    svc = start_svc(*nodes)
    names = {node.name for node in nodes}

    # Both nodes are this machine, so each has this pod.
    listed = svc.ask("GET", f"/v1/pods?pod={pod}")
    assert set(listed.json) == {f"{name}/{pod}" for name in names}
    assert set(svc.ask("GET", f"/v1/pods?pod={pod}&node={nodes[0].name}").json) == {pod}

    wanted = {"pod": pod, "trace-hook": "trace_syscalls", "trace-arguments": "-s getppid"}
    made = svc.ask("POST", "/v1/trace-session", {**wanted, "exporters": []})
    assert (made.status, made.node_errors) == (201, [])
    (group,) = {one["Group"] for one in made.json.values()}
    path = f"/v1/trace-session/{group}"
    assert made.headers["Location"] == path
    assert {one["Node"] for one in made.json.values()} == names
    assert {one["State"] for one in made.json.values()} == {"created"}

    assert svc.ask("PUT", path, {"Run": True}).json == {}
    assert svc.ask("PUT", path, {"Run": True}).status == 200
    assert {one["State"] for one in svc.ask("GET", path).json.values()} == {"running"}
    assert all(len(node.sources()) == 1 for node in nodes)
    wait_for(
        lambda: all(one["Statistics"]["Spans"] > 100 for one in svc.ask("GET", path).json.values()),
        "spans on both nodes",
    )
    summaries = svc.ask("GET", f"{path}/summary").json
    assert set(summaries) == set(made.json)
    calls = [(one["Node"], [row["Name"] for row in one["Calls"]]) for one in summaries.values()]
    assert dict(calls) == {key: ["getppid"] for key in names}

    # A part can be asked for by its own id; what another client made alone is in all.
    first = next(iter(made.json))
    assert set(svc.ask("GET", f"/v1/trace-session/{first}").json) == {first}
    (alone,) = nodes[1].ask("POST", "/v1/trace-session", wanted)[1]
    assert set(svc.ask("GET", "/v1/trace-session/all").json) == {*made.json, alone}

    assert svc.ask("PUT", path, {"Run": False}).status == 200
    assert {one["State"] for one in svc.ask("GET", path).json.values()} == {"stopped"}
    assert svc.ask("DELETE", path).json == {}
    assert svc.ask("GET", path).status == 404
    assert svc.ask("DELETE", path).status == 404
    assert set(svc.ask("GET", "/v1/trace-session/all").json) == {alone}
    assert svc.ask("DELETE", "/v1/trace-session/all").status == 200
    assert svc.ask("GET", "/v1/trace-session/all").json == {}
    wait_for(lambda: not any(one.sources() for one in nodes), "the kernel to be left as it was")


def test_a_node_that_cannot_be_reached_is_named_in_every_answer(
    start_node: StartNode, start_box: StartBox, start_svc: StartSvc
) -> None:
    box, node = start_box(), start_node()
    pod = box.pod(node)
    svc = start_svc(node, f"dead=127.0.0.1:{free_port()}")

    made = svc.ask("POST", "/v1/trace-session", {"pod": pod, "trace-hook": "trace_syscalls"})
    (session,) = made.json.values()
    assert made.status == 201
    assert session["NodeErrors"] == made.node_errors
    ((name, status),) = [(one["node"], one["status"]) for one in made.node_errors]
    assert (name, status) == ("dead", 502)
    assert "refuses connections" in made.node_errors[0]["detail"]

    # What one node does not have is no failure of another; what nobody has is not found.
    nothing = svc.ask("POST", "/v1/trace-session?node=test-*", {"pod": "x", "trace-hook": "x"})
    assert (nothing.status, nothing.node_errors) == (404, [])
    wrong = svc.ask("POST", "/v1/trace-session", {"pod": pod, "trace-hook": 1})
    assert (wrong.status, wrong.headers["Content-Type"]) == (400, "application/problem+json")
    arguments = {"pod": pod, "trace-hook": "trace_syscalls", "trace-arguments": "--nonsense"}
    assert svc.ask("POST", "/v1/trace-session", arguments).status == 422

    failed = svc.ask("GET", "/v1/pods?node=dead")
    assert (failed.status, failed.json["title"]) == (502, "Nodes failed")
    assert "dead" in failed.json["detail"]
    path = made.headers["Location"]
    assert svc.ask("DELETE", path).status == 200
    # It may still be on the node that cannot be reached.
    assert svc.ask("GET", path).status == 502
