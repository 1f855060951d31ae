"""The tracers of a cluster are found, and followed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from container_tracer.adapters.kubernetes.node_directory import KubernetesNodeDirectory
from container_tracer.domain.model.nodes import Nodes

from .conftest import SECONDS, Cluster


async def until_pods_are(changes: AsyncGenerator[Nodes, None], *pods: str) -> Nodes:
    async with asyncio.timeout(SECONDS):
        async for nodes in changes:
            if [one.pod for one in nodes.ready] == list(pods):
                return nodes
    raise AssertionError


async def test_tracers_are_found_and_followed(cluster: Cluster) -> None:
    await cluster.add_service()
    directory = cluster.directory()
    assert await directory.nodes() == Nodes()
    async with aclosing(directory.changes()) as changes:
        await anext(changes)
        refreshing = asyncio.create_task(list_now_and_then(directory))
        await cluster.add_tracer("tracer-a", node="worker-1")
        found = await until_pods_are(changes, "tracer-a")
        assert [one.port for one in found.ready] == [8080]
        await cluster.remove_tracer("tracer-a")
        await until_pods_are(changes)
        await cluster.add_tracer("tracer-b", node="worker-2")
        await until_pods_are(changes, "tracer-b")
        assert await directory.nodes() == directory.tracers.nodes()
        refreshing.cancel()
    await directory.close()


async def list_now_and_then(directory: KubernetesNodeDirectory) -> None:
    """Be the roster: Endpoints are not watched, where an API has no slices."""
    while True:
        await asyncio.sleep(1)
        await directory.nodes()
