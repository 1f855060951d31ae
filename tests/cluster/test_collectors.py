"""Jaeger collectors are found in any namespace, and followed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from container_tracer.adapters.kubernetes.collector_directory import KubernetesCollectorDirectory
from container_tracer.adapters.kubernetes.settings import KubernetesSettings
from container_tracer.domain.model.collector_services import CollectorServices
from container_tracer.fakes.kubernetes.manifests import jaeger_service

from .conftest import CORE, SECONDS, Cluster


async def until(
    changes: AsyncGenerator[CollectorServices, None], cluster: Cluster, *, there: bool
) -> None:
    """Wait until a collector is there, or not, in the namespace of the test."""
    async with asyncio.timeout(SECONDS):
        async for found in changes:
            if there == (cluster.namespace in [one.namespace for one in found.services]):
                return


async def test_a_collector_is_found_and_followed(cluster: Cluster) -> None:
    settings = KubernetesSettings(kubeconfig=cluster.kubeconfig)
    directory = KubernetesCollectorDirectory(settings=settings)
    path = f"{CORE}/{cluster.namespace}/services"
    service = jaeger_service(cluster.namespace)
    del service["spec"]["clusterIP"]  # the cluster gives one
    async with aclosing(directory.changes()) as changes:
        await until(changes, cluster, there=False)
        made = await cluster.connection.post(path, service)
        await until(changes, cluster, there=True)
        made["spec"]["ports"][0]["port"] = 14250
        await cluster.connection.put(f"{path}/jaeger-collector", made)
        await until(changes, cluster, there=False)
        await cluster.connection.delete(f"{path}/jaeger-collector")
    await directory.close()
