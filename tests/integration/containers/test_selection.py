"""What is selected of real pods is what a preview shows and a session traces."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.containerd.daemon import Containerd
from tests.containerd.pods import Pods, RealContainer
from tests.integration.node.conftest import Node, StartNode, wait_for

from .conftest import Trace
from .marks import NEEDS

pytestmark = NEEDS

SESSIONS = "/v1/trace-session"
KATA = "kata-runc"
BUSY = ("/bin/sh", "-c", "while :; do usleep 20000; done")


@pytest.fixture
def node(start_node: StartNode, containerd: Containerd) -> Node:
    """A node that asks this worker's containerd, which alone knows labels and handlers."""
    return start_node("--cri-endpoint", str(containerd.socket))


@pytest.fixture
def shops(node: Node, pods: Pods) -> dict[str, RealContainer]:
    """Pods of equal names in two namespaces, told apart by labels and by a handler."""

    def start(name: str, namespace: str, container: str, **how: Any) -> RealContainer:
        pod = pods.run(name, namespace=namespace, **how)
        return pod.start(container, *BUSY)

    made = {
        "blue": start("shop-1", "blue", "web", labels={"app": "web", "tier": "front"}),
        "green": start("shop-1", "green", "web", labels={"app": "web", "canary": ""}),
        "db": start("shop-2", "blue", "db", labels={"app": "db"}),
        "kata": start("shop-3", "blue", "web", labels={"app": "web"}, handler=KATA),
    }
    ids = {one.container_id for one in made.values()}
    wait_for(lambda: ids <= set(previewed(node, {})), "the node to know them")
    return made


def previewed(node: Node, selection: Mapping[str, str]) -> dict[str, str]:
    """Ask what a session of a selection would be; return reasons by id."""
    status, pods = node.ask("GET", f"/v1/pods?{urlencode(selection)}")
    assert status == 200, pods
    containers = (one for pod in pods.values() for one in pod["Containers"].values())
    return {one["ContainerId"]: one["Refused"] for one in containers}


SELECTIONS: list[tuple[dict[str, str], set[str]]] = [
    ({"pod": "shop-1"}, {"blue", "green"}),
    ({"pod": "blue/shop-1"}, {"blue"}),
    ({"pod": "shop-[!13]"}, {"db"}),
    ({"pod": "sh?p-[1-2]", "namespace": "bl*"}, {"blue", "db"}),
    ({"container": "[v-x]eb", "namespace": "green"}, {"green"}),
    ({"labels": "app=web,tier"}, {"blue"}),
    ({"labels": "app in (web,db),!tier", "pod": "shop-[12]"}, {"green", "db"}),
    ({"labels": "app!=web,app", "namespace": "blue"}, {"db"}),
    ({"labels": "canary=,io.kubernetes.container.name=web"}, {"green"}),
]


def test_a_session_traces_exactly_what_its_preview_shows(
    node: Node, trace: Trace, shops: dict[str, RealContainer]
) -> None:
    for selection, meant in SELECTIONS:
        expected = {shops[name].container_id for name in meant}
        assert previewed(node, selection) == dict.fromkeys(expected, ""), selection
        session = trace(**selection)
        names = sorted(name for some in session.describe()["Containers"].values() for name in some)
        assert names == sorted(shops[name].name for name in meant)
        session.wait_for_calls_of(expected)
        assert session.stop().containers == expected
        session.delete()


def test_pods_of_one_name_are_named_with_their_namespaces_everywhere(
    node: Node, trace: Trace, shops: dict[str, RealContainer]
) -> None:
    both = {"blue/shop-1", "green/shop-1"}
    session = trace(pod="shop-1")
    assert set(session.describe()["Containers"]) == both
    assert set(node.ask("GET", "/v1/pods?pod=shop-1")[1]) == both
    session.wait_for_calls_of({shops[name].container_id for name in ("blue", "green")})
    assert session.stop().names == {(name, "shop-1", "web") for name in ("blue", "green")}
    calls = node.ask("GET", f"{session.path}/summary")[1][session.session_id]["Calls"]
    ids = {(one["Namespace"], one["ContainerId"]) for one in calls}
    assert ids == {(name, shops[name].container_id) for name in ("blue", "green")}


def test_a_virtual_machine_is_refused_by_name_and_the_others_are_traced(
    node: Node, trace: Trace, shops: dict[str, RealContainer]
) -> None:
    selection = {"namespace": "blue", "container": "web"}
    reasons = previewed(node, selection)
    assert reasons[shops["blue"].container_id] == ""
    assert f"runs in a virtual machine ({KATA})" in reasons[shops["kata"].container_id]
    session = trace(**selection)
    told = session.describe()
    assert told["Containers"] == {"shop-1": ["web"]}
    assert told["Refused"] == {"shop-3": {"web": reasons[shops["kata"].container_id]}}
    session.wait_for_calls_of({shops["blue"].container_id})
    assert session.stop().containers == {shops["blue"].container_id}


def test_a_virtual_machine_that_begins_later_is_refused_too(
    trace: Trace, pods: Pods, shops: dict[str, RealContainer]
) -> None:
    session = trace(pod="shop-1*", namespace="blue")
    late = pods.run("shop-1b", namespace="blue", handler=KATA)
    late.start("web", *BUSY)
    wait_for(lambda: "shop-1b" in session.describe()["Refused"], "the refusal")
    session.wait_for_calls_of({shops["blue"].container_id})
    assert session.describe()["Containers"] == {"shop-1": ["web"]}
    assert session.stop().containers == {shops["blue"].container_id}


def test_a_virtual_machine_alone_is_refused_unless_its_monitor_is_asked_for(
    node: Node, trace: Trace, shops: dict[str, RealContainer]
) -> None:
    body = {"pod": "shop-3", "trace-hook": "trace_syscalls", "run": True}
    status, problem = node.ask("POST", SESSIONS, body)
    assert (status, problem["title"]) == (422, "Isolated container")
    assert '"vmm": true' in problem["detail"]
    assert node.ask("GET", f"{SESSIONS}/all") == (200, {})
    session = trace(pod="shop-3", vmm=True)
    session.wait_for_calls_of({shops["kata"].container_id})
    seen = session.stop()
    assert seen.containers == {shops["kata"].container_id}
    assert all(span["vmm"] is True for span in seen.spans)


def test_the_command_line_previews_and_says_what_is_not_traced(
    node: Node, shops: dict[str, RealContainer]
) -> None:
    def client(*argv: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-P", "-m", "container_tracer.entrypoints.cli"]
        words = [*command, "--server", node.url, *argv]
        return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)

    shown = client("pods", "--match", "blue/shop-*", "web", "-l", "app in (web)")
    assert [line.split()[:3] for line in shown.stdout.splitlines()[1:]] == [
        ["blue", "shop-1", "web"]
    ]
    assert shown.stderr.startswith("Not traced: Container web of pod shop-3 runs in a virtual")
    traced = client("trace", "-l", "app=web", "-n", "blue", "trace_syscalls", "--max-events", "3")
    assert traced.returncode == 0, traced.stderr
    assert "Not traced: Container web of pod shop-3" in traced.stderr
    both = client("trace", "shop-1", "trace_syscalls", "--max-events", "20", "-o", "json")
    lines = [json.loads(line) for line in both.stdout.splitlines()]
    ids = {line["container_id"] for line in lines if "stream" not in line}
    assert ids
    assert ids <= {shops[name].container_id for name in ("blue", "green")}
    refused = client("trace", "shop-3", "trace_syscalls", "--max-events", "3")
    assert refused.returncode == 1
    assert "--vmm" in refused.stderr
