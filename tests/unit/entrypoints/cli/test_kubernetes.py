"""Commands reach the tracer of a cluster through the Kubernetes API, and nothing else."""

import asyncio
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme
from attrs import define

from container_tracer.client import ServerUnreachable
from container_tracer.fakes.kubernetes.api import FakeKubernetesApi
from container_tracer.fakes.kubernetes.calls import PODS
from container_tracer.fakes.kubernetes.manifests import tracer_pod
from container_tracer.fakes.kubernetes.portforward import FakePortForward

LABELS = {"app": "container-tracer-svc"}


def svc_pod(name: str, *, secure: bool = False, **more: Any) -> dict[str, Any]:
    pod = tracer_pod(name, node="worker-1", labels=LABELS, **more)
    scheme = {"port": 8080, "scheme": "HTTPS"} if secure else {"port": 8080}
    pod["spec"]["containers"][0]["readinessProbe"] = {"httpGet": scheme}
    return pod


@define
class Cluster:
    """A Kubernetes API with the pods `a` and `b`, both of which lead to the tracer's API."""

    api: FakeKubernetesApi
    forward: FakePortForward
    environ: dict[str, str]

    async def add(self, *pods: dict[str, Any], to: str) -> None:
        place = urlsplit(to)
        for pod in pods:
            self.forward.targets[pod["metadata"]["name"], 8080] = ("127.0.0.1", place.port or 0)
            await self.api.objects.put(pod)


@pytest.fixture
async def cluster(commands: Any, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with FakeKubernetesApi() as api:
        forward = FakePortForward(objects=api.objects)
        api.subresources["pods", "portforward"] = forward
        path = api.write_kubeconfig(tmp_path / "config")
        commands.server, commands.environ = ("--cluster",), {"KUBECONFIG": str(path)}
        yield Cluster(api, forward, commands.environ)
        assert not forward.open


def test_without_a_cluster_nothing_of_kubernetes_is_loaded() -> None:
    """It would be a fifth of a second more for everybody."""
    program = "import sys, container_tracer.entrypoints.cli.__main__; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    loaded = {one.partition(".")[0] for one in ran.stdout.decode().split()}
    assert loaded >= {"aiohttp", "container_tracer"}
    assert "kubernetes" not in loaded


async def test_a_trace_goes_through_the_api_of_the_cluster(
    commands: Any, cluster: Cluster, tracer_api: Any, lines: Any
) -> None:
    await cluster.add(svc_pod("a"), svc_pod("b"), to=tracer_api.url)
    tracer_api.script = [lines.span(), lines.end()]
    ran = await commands.run("trace", "shop", "trace_syscalls", "--node", "worker-1")
    assert ran.code == 0, ran.err
    assert "openat(dfd=-100" in ran.out
    assert tracer_api.sessions == {}
    assert set(cluster.forward.carried) == {"a"}
    assert tracer_api.headers[0]["Host"] == "localhost:8080"


async def test_a_trace_goes_on_through_another_pod(
    commands: Any, cluster: Cluster, tracer_api: Any, lines: Any
) -> None:
    await cluster.add(svc_pod("a"), svc_pod("b"), to=tracer_api.url)
    tracer_api.script, tracer_api.nodes = [lines.span()], ["worker-1"]
    running = asyncio.create_task(commands.run("trace", "shop", "trace_syscalls"))
    await commands.out.until("openat")
    await cluster.api.objects.delete(PODS, "a", namespace="container-tracer")
    for stream in list(cluster.forward.open):
        await stream.close()
    await commands.out.until("calls are missing here")
    commands.stop.take(signal.SIGINT)
    ran = await running
    assert ran.code == 130
    assert "Not complete, the stream broke off: 1 time." in ran.err
    assert tracer_api.sessions == {}
    assert set(cluster.forward.carried) == {"a", "b"}


async def test_its_own_namespace_context_and_kubeconfig_can_be_named(
    commands: Any, cluster: Cluster, tracer_api: Any
) -> None:
    await cluster.add(svc_pod("a", namespace="tools"), to=tracer_api.url)
    kubeconfig = commands.environ.pop("KUBECONFIG")
    commands.server = ("--kubeconfig", kubeconfig, "--kube-context", "fake")
    ran = await commands.run("pods", "--tracer-namespace", "tools")
    assert ran.code == 0
    with pytest.raises(ServerUnreachable, match="in namespace container-tracer of the cluster"):
        await commands.run("pods")
    commands.server = ("--kubeconfig", kubeconfig, "--kube-context", "nope")
    with pytest.raises(ServerUnreachable, match="nope"):
        await commands.run("pods")


async def test_a_token_and_a_certificate_are_between_us_and_the_tracer(
    commands: Any, cluster: Cluster, tracer_api: Any, tmp_path: Path
) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("container-tracer-svc.container-tracer.svc").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (tmp_path / "token").write_text("s3cret")
    async with tls_in_front_of(tracer_api.url, context) as secure:
        await cluster.add(svc_pod("a", secure=True), to=secure)
        trusting = ("--ca-file", f"{tmp_path}/ca.pem", "--token-file", f"{tmp_path}/token")
        assert (await commands.run("pods", *trusting)).code == 0
        with pytest.raises(ServerUnreachable, match="certificate is not to be trusted"):
            await commands.run("pods")
    assert [one["Authorization"] for one in tracer_api.headers] == ["Bearer s3cret"]


async def test_what_is_wrong_at_the_pod_is_said(
    commands: Any, cluster: Cluster, tracer_api: Any
) -> None:
    await cluster.add(svc_pod("a"), to=tracer_api.url)
    cluster.forward.targets.clear()
    with pytest.raises(ServerUnreachable, match="error forwarding port 8080 to pod a"):
        await commands.run("pods")


async def test_the_doctor_names_the_cluster(
    commands: Any, cluster: Cluster, tracer_api: Any
) -> None:
    await cluster.add(svc_pod("a"), to=tracer_api.url)
    assert "The tracer-svc of the cluster answers" in (await commands.run("doctor")).out


class tls_in_front_of:  # noqa: N801 - it reads as a function
    """Take TLS off, and pass on to a server without it."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        self.place, self.context = urlsplit(url), context

    async def __aenter__(self) -> str:
        self.server = await asyncio.start_server(self.carry, "127.0.0.1", 0, ssl=self.context)
        return f"https://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self.server.close()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, mine = await asyncio.open_connection(self.place.hostname, self.place.port)
        await asyncio.gather(copy(reader, mine), copy(theirs, writer))


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
