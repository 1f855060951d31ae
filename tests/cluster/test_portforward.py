"""Connections to pods through the API of a cluster."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from container_tracer.adapters.kubernetes.portforward import PortForward
from container_tracer.ports.errors import ClusterUnavailable

from .conftest import REAL, SECONDS, Cluster


@pytest.fixture
async def forward(cluster: Cluster) -> AsyncIterator[PortForward]:
    if REAL and not cluster.has_machines:
        pytest.skip("needs a kubelet: this cluster has no machines")
    forward = PortForward(
        connection=cluster.connection,
        namespace=cluster.namespace,
        labels="app=container-tracer-backend",
    )
    yield forward
    await forward.close()


async def until_ready(forward: PortForward) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                await forward.pod()
            except ClusterUnavailable:
                await asyncio.sleep(0.5)
            else:
                return


async def test_a_port_where_nothing_listens_says_so(cluster: Cluster, forward: PortForward) -> None:
    await cluster.add_tracer("idle", node="one")
    await until_ready(forward)
    async with asyncio.timeout(SECONDS):
        with await forward.dial() as end:
            assert await asyncio.get_running_loop().sock_recv(end, 1) == b""
        while not forward.trouble:  # noqa: ASYNC110 - it is told after the end
            await asyncio.sleep(0.01)
    assert "8080" in forward.trouble


async def test_without_a_pod_there_is_no_connection(forward: PortForward) -> None:
    with pytest.raises(ClusterUnavailable, match="no pod has the label"):
        await forward.dial()
