"""Connections to a pod through the Kubernetes API, over its real protocol."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from attrs import define, field

from container_tracer.adapters.kubernetes.connection import KubernetesConnection
from container_tracer.adapters.kubernetes.portforward import PortForward
from container_tracer.fakes.kubernetes.api import FakeKubernetesApi
from container_tracer.fakes.kubernetes.calls import PODS
from container_tracer.fakes.kubernetes.faults import Fault
from container_tracer.fakes.kubernetes.manifests import tracer_pod
from container_tracer.fakes.kubernetes.portforward import FakePortForward
from container_tracer.ports.errors import ClusterUnavailable

LABELS = {"app": "container-tracer-svc"}


def svc_pod(name: str, **more: Any) -> dict[str, Any]:
    return tracer_pod(name, node="worker-1", labels=LABELS, **more)


@define
class Echo:
    """A server that says its name, and then everything twice."""

    name: str
    port: int = 0
    server: asyncio.Server = field(init=False)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.name.encode())
        while data := await reader.read(65536):
            writer.write(data + data)
            await writer.drain()
        writer.close()

    async def start(self) -> None:
        self.server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]


@pytest.fixture
async def pods(api: FakeKubernetesApi) -> AsyncIterator[FakePortForward]:
    """Two ready pods, `a` and `b`."""
    forward = FakePortForward(objects=api.objects)
    api.subresources["pods", "portforward"] = forward
    servers = [Echo("a"), Echo("b")]
    for one in servers:
        await one.start()
        forward.targets[one.name, 8080] = ("127.0.0.1", one.port)
        await api.objects.put(svc_pod(one.name))
    yield forward
    for one in servers:
        one.server.close()


@pytest.fixture
async def forward(connection: KubernetesConnection) -> AsyncIterator[PortForward]:
    forward = PortForward(
        connection=connection, namespace="container-tracer", labels="app=container-tracer-svc"
    )
    yield forward
    await forward.close()
    assert not forward._pumps


async def read(end: socket.socket, size: int) -> bytes:
    loop, data = asyncio.get_running_loop(), b""
    while len(data) < size and (more := await loop.sock_recv(end, size - len(data))):
        data += more
    return data


async def test_bytes_go_both_ways_whatever_their_number(
    pods: FakePortForward, forward: PortForward
) -> None:
    sent = bytes(range(256)) * 4096
    with await forward.dial() as end:
        assert await read(end, 1) == b"a"
        sending = asyncio.create_task(asyncio.get_running_loop().sock_sendall(end, sent))
        assert len(await read(end, 2 * len(sent))) == 2 * len(sent)
        await sending
    assert pods.carried == {"a": 1}


async def test_every_connection_is_one_of_its_own(
    pods: FakePortForward, forward: PortForward
) -> None:
    with await forward.dial() as one, await forward.dial() as other:
        await asyncio.get_running_loop().sock_sendall(other, b"x")
        assert await read(other, 3) == b"axx"
        assert await read(one, 1) == b"a"
    assert pods.carried == {"a": 2}


async def test_who_hangs_up_here_is_gone_there(pods: FakePortForward, forward: PortForward) -> None:
    (await forward.dial()).close()
    async with asyncio.timeout(10):
        while pods.open:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_a_pod_that_hangs_up_is_gone_here(
    pods: FakePortForward, forward: PortForward
) -> None:
    with await forward.dial() as end:
        assert await read(end, 1) == b"a"
        for stream in list(pods.open):
            await stream.close()
        assert await read(end, 1) == b""


async def test_once_a_pod_is_gone_another_is_dialled(
    api: FakeKubernetesApi, pods: FakePortForward, forward: PortForward
) -> None:
    (await forward.dial()).close()
    await api.objects.delete(PODS, "a", namespace="container-tracer")
    with await forward.dial() as end:
        assert await read(end, 1) == b"b"
    assert pods.carried == {"a": 1, "b": 1}


async def test_a_pod_that_refuses_connections_is_avoided(
    pods: FakePortForward, forward: PortForward
) -> None:
    del pods.targets["a", 8080]
    with await forward.dial() as end:
        assert await read(end, 1) == b""
    assert "failed to connect" in forward.trouble
    with await forward.dial() as end:
        assert await read(end, 1) == b"b"


async def test_without_a_ready_pod_the_reasons_are_told(
    api: FakeKubernetesApi, forward: PortForward
) -> None:
    with pytest.raises(ClusterUnavailable, match="no pod has the label app=container-tracer-svc"):
        await forward.dial()
    await api.objects.put(svc_pod("a", ready=False))
    with pytest.raises(ClusterUnavailable, match="its pod a is not ready"):
        await forward.dial()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            Fault(resource="pods", verb="get", status=403, message="no portforward", times=9),
            "A Role",
        ),
        (Fault(resource="pods", verb="get", status=500, times=9), "answered 500"),
        (Fault(resource="pods", verb="list", status=401, times=9), "does not know who is asking"),
    ],
)
async def test_what_the_api_refuses_is_said(
    api: FakeKubernetesApi, pods: FakePortForward, forward: PortForward, fault: Fault, words: str
) -> None:
    api.faults.append(fault)
    await api.objects.delete(PODS, "b", namespace="container-tracer")
    with pytest.raises(ClusterUnavailable, match=words):
        await forward.dial()
    assert not pods.carried


async def test_an_api_that_speaks_another_protocol_is_named(
    pods: FakePortForward, forward: PortForward
) -> None:
    pods.protocols = ("portforward.k8s.io",)
    with pytest.raises(ClusterUnavailable, match=r"does not speak v4\.channel"):
        await forward.dial()
