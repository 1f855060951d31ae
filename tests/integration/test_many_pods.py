"""A large cluster, listed and watched over real HTTP."""

import asyncio
from contextlib import aclosing
from pathlib import Path

from container_tracer.adapters.kubernetes.node_directory import KubernetesNodeDirectory
from container_tracer.adapters.kubernetes.settings import KubernetesSettings
from container_tracer.fakes.kubernetes.api import FakeKubernetesApi
from container_tracer.fakes.kubernetes.manifests import tracer_pod, tracer_service

PODS = 5000


async def test_thousands_of_nodes_are_known_and_followed(tmp_path: Path) -> None:
    async with FakeKubernetesApi() as api:
        pods = [
            tracer_pod(f"p{i:04}", node=f"worker-{i:04}", ip=f"10.1.{i // 250}.{i % 250}")
            for i in range(PODS)
        ]
        await api.objects.put(tracer_service(target=8080), *pods)
        config = api.write_kubeconfig(tmp_path / "config", namespace="container-tracer")
        directory = KubernetesNodeDirectory(
            settings=KubernetesSettings(kubeconfig=str(config)),
            pods_selector="app=container-tracer-backend",
            service_selector="metadata.name=container-tracer-node",
        )
        async with aclosing(directory.changes()) as changes:
            assert len((await anext(changes)).ready) == PODS
            later = asyncio.ensure_future(anext(changes))
            await api.watched("pods")
            await api.objects.put(tracer_pod("p0000", node="worker-0000", ready=False))
            changed = await later
            assert (len(changed.ready), list(changed.unready)) == (PODS - 1, ["worker-0000"])
        assert max(int(one.query.get("limit", "0")) for one in api.calls) <= PODS // 10
        await directory.close()
