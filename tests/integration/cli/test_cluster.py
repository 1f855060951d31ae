"""Commands towards a real tracer-svc with two real nodes, and through a Kubernetes API to it."""

import asyncio
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from attrs import define

from container_tracer.fakes.kubernetes.api import FakeKubernetesApi
from container_tracer.fakes.kubernetes.manifests import tracer_pod
from container_tracer.fakes.kubernetes.portforward import FakePortForward
from tests.certificates import Authority
from tests.integration.node.conftest import Node, StartNode, start_node
from tests.integration.svc.conftest import StartSvc, Svc, start_svc

from .conftest import Box, Private, wait_for

__all__ = ["start_node", "start_svc"]

pytestmark = pytest.mark.kernel


@define
class Cluster:
    """A svc, its two nodes, and commands that ask it."""

    svc: Svc
    nodes: list[Node]
    private: Private

    def run(self, *argv: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        ran = self.private.run("--server", self.svc.url, *argv)
        assert ran.returncode == code, ran.stderr
        return ran

    def ask(self, *argv: str) -> Any:
        return json.loads(self.run(*argv, "-o", "json").stdout)


@pytest.fixture
def cluster(start_node: StartNode, start_svc: StartSvc, private: Private, box: Box) -> Cluster:
    nodes = [start_node(), start_node()]
    one = Cluster(start_svc(*nodes), nodes, private)
    wait_for(lambda: box.name in one.run("pods", "-o", "wide").stdout, "the nodes to see the box")
    return one


def test_a_session_on_two_nodes_is_one_for_who_types(cluster: Cluster, box: Box) -> None:
    names = sorted(one.name for one in cluster.nodes)
    pods = cluster.run("pods", "--match", box.name).stdout.splitlines()
    assert "NODE" in pods[0].split()
    assert sorted(line.split()[-2] for line in pods[1:]) == names
    (only,) = cluster.run("pods", "--match", box.name, "--node", names[0]).stdout.splitlines()[1:]
    assert names[0] in only
    trace = ("trace", box.name, "trace_syscalls", "--keep", "--", "-s", "getppid")
    session = cluster.run(*trace).stdout.strip()
    listed = cluster.run("sessions", "list").stdout.splitlines()
    assert [(line.split()[0], line.split()[-2:]) for line in listed[1:]] == [
        (session, ["2", "nodes"])
    ]
    top = ("top", session, "--count", "1", "--by", "call")
    (merged,) = cluster.ask(*top).values()
    parts = [one["Node"] for one in cluster.ask("sessions", "show", session).values()]
    assert sorted(parts) == names
    assert [one["Name"] for one in merged["Calls"]] == ["getppid"]
    assert 0 < merged["Calls"][0]["P50Ns"] <= merged["Calls"][0]["MaxNs"]
    by_node = cluster.run(*top[:-1], "node").stdout.splitlines()
    assert sorted(line.split()[0] for line in by_node[2:] if line) == names
    cluster.run("sessions", "stop", session)
    assert {one["State"] for one in cluster.ask("sessions", "show", session).values()} == {
        "stopped"
    }
    cluster.run("sessions", "delete", session)
    assert cluster.ask("sessions", "list") == {}


def test_a_node_that_is_gone_is_named_beside_what_the_other_says(
    cluster: Cluster, box: Box
) -> None:
    dead, alive = cluster.nodes
    dead.stop()
    ran = cluster.run("pods", "--match", box.name)
    assert box.name in ran.stdout
    assert ran.stderr.startswith(f"{dead.name}: ")
    (failed,) = cluster.ask("pods")["NodeErrors"]
    assert failed["node"] == dead.name
    words = ("trace", box.name, "trace_syscalls", "--max-events", "5")
    traced = cluster.run(*words)
    assert len(traced.stdout.splitlines()) == 6
    assert f"Not complete, these nodes failed: {dead.name}." in traced.stderr
    cluster.run(*words, "--fail-on-loss", code=4)
    found = cluster.ask("doctor")["Findings"]
    assert f"node {dead.name}" in [one["Subject"] for one in found]
    alive.stop()
    told_at_last = cluster.run("pods", code=1).stderr
    assert dead.name in told_at_last
    assert alive.name in told_at_last


TOKEN = "a-token-of-somebody-0123456789"


@define
class Secured:
    """Nodes and a svc with TLS that want a token, and what a client needs to know about them."""

    svc: Svc
    nodes: list[Node]
    token: Path
    authority: Authority

    @property
    def flags(self) -> tuple[str, ...]:
        return ("--token-file", str(self.token), "--ca-file", str(self.authority.file))

    def sessions(self) -> list[Any]:
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        path = "/v1/trace-session/all"
        return [one.ask("GET", path, headers=bearer) for one in self.nodes]


@pytest.fixture
def secured(start_node: StartNode, start_svc: StartSvc, tmp_path: Path) -> Secured:
    token, tokens, authority = tmp_path / "token", tmp_path / "tokens", Authority(tmp_path / "ca")
    tokens.touch(mode=0o600)
    tokens.write_text(json.dumps({"tokens": [{"name": "somebody", "token": TOKEN}]}))
    token.write_text(TOKEN)
    pair = authority.issue("container-tracer-svc.container-tracer.svc", "127.0.0.1", file="svc")
    trust = ssl.create_default_context(cafile=str(authority.file))
    wanting = ("--auth-token-file", str(tokens))
    nodes = [start_node(*wanting), start_node(*wanting)]
    tls = ("--certfile", str(pair.certificate), "--keyfile", str(pair.key))
    return Secured(start_svc(*nodes, flags=(*wanting, *tls), client=trust), nodes, token, authority)


@pytest.fixture
async def kubeconfig(secured: Secured, tmp_path: Path) -> AsyncIterator[Path]:
    """A Kubernetes API whose only pod of tracer-svc is the svc."""
    async with FakeKubernetesApi() as api:
        forward = FakePortForward(objects=api.objects)
        api.subresources["pods", "portforward"] = forward
        forward.targets["svc-0", 8080] = ("127.0.0.1", urlsplit(secured.svc.url).port or 0)
        pod = tracer_pod("svc-0", node="worker-1", labels={"app": "container-tracer-svc"})
        probe = {"httpGet": {"port": "api", "scheme": "HTTPS"}}
        pod["spec"]["containers"][0]["readinessProbe"] = probe
        await api.objects.put(pod)
        yield api.write_kubeconfig(tmp_path / "kubeconfig")


async def test_as_a_plugin_of_kubectl_it_traces_through_the_api_of_the_cluster_until_ctrl_c(
    secured: Secured, kubeconfig: Path, box: Box
) -> None:
    here = Path(sys.executable).parent
    kubectl = ["kubectl", "ctrace"] if shutil.which("kubectl") else ["kubectl-ctrace"]
    environ = {**os.environ, "PATH": f"{here}:{os.environ['PATH']}", "KUBECONFIG": str(kubeconfig)}

    async def client(*argv: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *kubectl, *argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    async with asyncio.timeout(100):
        _, told = await (await client("pods", *secured.flags[2:])).communicate()
        assert b"token" in told  # that it is missing
        words = ("trace", box.name, "trace_syscalls", "--wait", "-o", "json")
        tracing = await client(*words, *secured.flags)
        assert tracing.stdout is not None
        seen: set[str] = set()
        while len(seen) < 2:
            line = await tracing.stdout.readline()
            assert line, await tracing.communicate()
            seen.add(json.loads(line).get("node", ""))
        tracing.send_signal(signal.SIGINT)  # kubectl has become the plug-in: it is the same process
        _, told = await tracing.communicate()
    assert seen == {one.name for one in secured.nodes}
    assert tracing.returncode == 130, told.decode()
    assert "Ended: you asked for it." in told.decode()
    assert secured.sessions() == [(200, {})] * 2
    wait_for(lambda: not any(one.sources() for one in secured.nodes), "their sources to close")
