"""The node beside a real container runtime: what it calls containers, and where that fails."""

from pathlib import Path
from typing import Any

import pytest

from tests.containerd.daemon import Containerd
from tests.containerd.pods import Pods, RealContainer

from .conftest import Node, StartNode, wait_for

pytestmark = [pytest.mark.kernel, pytest.mark.containerd, pytest.mark.xdist_group("containerd")]


def shown(node: Node, container: RealContainer) -> dict[str, Any]:
    """Return what the node shows of a container; nothing if it does not show it."""
    for pod in node.ask("GET", "/v1/pods")[1].values():
        for one in pod["Containers"].values():
            if one["ContainerId"] == container.container_id:
                return dict(one)
    return {}


def ready(node: Node) -> dict[str, Any]:
    status, answer = node.ask("GET", "/readyz")
    assert status == 200
    return dict(answer)


def test_containers_are_called_as_the_runtime_calls_them(
    start_node: StartNode, containerd: Containerd, pods: Pods
) -> None:
    node = start_node("--cri-endpoint", containerd.endpoint)
    pod = pods.run("shop", namespace="sales", labels={"app": "web"})
    web = pod.start("web", "/bin/sleep", "1000")
    wait_for(lambda: shown(node, web).get("Tasks") == [web.pid], "the container to be shown")
    found = shown(node, web)
    assert (found["Namespace"], found["Pod"], found["PodUid"]) == ("sales", "shop", pod.uid)
    assert (found["Id"], found["Runtime"], found["Isolated"]) == ("web", "containerd", False)
    assert found["Parent"] == [web.pid]
    assert found["Labels"]["app"] == "web"
    assert ready(node)["runtime"].startswith("containerd ")
    web.stop()
    wait_for(lambda: not shown(node, web), "the container to be gone", seconds=5)


def test_while_the_runtime_is_away_what_was_known_stays(
    start_node: StartNode, containerd: Containerd, pods: Pods
) -> None:
    node = start_node("--cri-endpoint", containerd.endpoint)
    pod = pods.run("shop")
    web = pod.start("web", "/bin/sleep", "1000")
    wait_for(lambda: shown(node, web).get("Tasks") == [web.pid], "the container to be shown")
    containerd.kill()
    wait_for(lambda: "discovery.failed" in node.log.read_text(), "the node to notice")
    assert shown(node, web)["Tasks"]
    containerd.start()
    other = pod.start("other", "/bin/sleep", "1000")
    wait_for(lambda: bool(shown(node, other)), "what came after the restart")
    assert shown(node, web)["Id"] == "web"


def test_a_node_that_starts_before_the_runtime_finds_it_later(
    start_node: StartNode, containerd: Containerd, pods: Pods, tmp_path: Path
) -> None:
    socket = tmp_path / "late.sock"
    web = pods.run("shop", namespace="sales").start("web", "/bin/sleep", "1000")
    node = start_node("--cri-endpoint", str(socket))
    wait_for(lambda: "late.sock" in ready(node)["reason"], "the reason")
    assert ready(node)["discovery"] == "procfs"
    assert shown(node, web)["Tasks"] == [web.pid]
    socket.symlink_to(containerd.socket)
    wait_for(lambda: ready(node)["discovery"] == "cri", "the runtime to be found", seconds=30)
    wait_for(lambda: shown(node, web).get("Namespace") == "sales", "its names")


def test_procfs_can_be_insisted_on(start_node: StartNode, containerd: Containerd) -> None:
    node = start_node("--use-procfs", "--cri-endpoint", containerd.endpoint)
    assert ready(node) == {
        "status": "ready",
        "discovery": "procfs",
        "runtime": "",
        "reason": "It was asked for (--use-procfs).",
    }
