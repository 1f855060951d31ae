"""A cluster: a fake one, or with CONTAINER_TRACER_TEST_CLUSTER=1 the one of KUBECONFIG.

In a cluster without machines, which a fake one is and an API server alone, tests do what
schedulers, kubelets and controllers would do.
"""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from container_tracer.adapters.kubernetes.connection import KubernetesConnection
from container_tracer.adapters.kubernetes.node_directory import KubernetesNodeDirectory
from container_tracer.adapters.kubernetes.settings import KubernetesSettings
from container_tracer.fakes.kubernetes.api import FakeKubernetesApi
from container_tracer.fakes.kubernetes.manifests import (
    SELECTOR_LABELS,
    SERVICE,
    endpoint_slice,
    endpoints,
    tracer_pod,
    tracer_service,
)
from container_tracer.fakes.kubernetes.portforward import FakePortForward
from container_tracer.ports.errors import ClusterUnavailable

REAL = os.environ.get("CONTAINER_TRACER_TEST_CLUSTER") == "1"
IMAGE = os.environ.get("CONTAINER_TRACER_TEST_IMAGE", "registry.k8s.io/pause:3.10")
SECONDS = 120.0 if REAL else 20.0
WATCH_SECONDS = 3 if REAL else 1

CORE = "/api/v1/namespaces"
SLICES = "/apis/discovery.k8s.io/v1/namespaces"


@define(eq=False)
class Cluster:
    """A namespace of its own in a cluster; `has_machines` if pods run in it by themselves."""

    connection: KubernetesConnection
    kubeconfig: str
    namespace: str
    has_machines: bool = False
    pods: list[dict[str, Any]] = field(factory=list)

    async def add_service(self) -> None:
        service = tracer_service(namespace=self.namespace)
        await self.connection.post(f"{CORE}/{self.namespace}/services", service)

    async def add_tracer(self, name: str, *, node: str = "") -> None:
        """Let a pod run that looks like a tracer, on a node where there are no real ones."""
        ip = f"10.7.0.{len(self.pods) + 1}"
        status = tracer_pod(name, node=node, ip=ip, namespace=self.namespace)
        await self.connection.post(f"{CORE}/{self.namespace}/pods", self._wanted(name, node))
        if not self.has_machines:
            await self._act_as_machine(status)

    async def remove_tracer(self, name: str) -> None:
        await self.connection.delete(f"{CORE}/{self.namespace}/pods/{name}?gracePeriodSeconds=0")

    def directory(self) -> KubernetesNodeDirectory:
        return KubernetesNodeDirectory(
            settings=KubernetesSettings(kubeconfig=self.kubeconfig, namespace=self.namespace),
            pods_selector="app=container-tracer-backend",
            service_selector=f"metadata.name={SERVICE}",
        )

    def _wanted(self, name: str, node: str) -> dict[str, Any]:
        port = {"name": "api", "containerPort": 8080}
        container = {"name": "tracer", "image": IMAGE, "ports": [port]}
        spec: dict[str, Any] = {"containers": [container], "terminationGracePeriodSeconds": 0}
        if not self.has_machines:
            spec["nodeName"] = node
        return {"metadata": {"name": name, "labels": dict(SELECTOR_LABELS)}, "spec": spec}

    async def _act_as_machine(self, ran: dict[str, Any]) -> None:
        path = f"{CORE}/{self.namespace}/pods/{ran['metadata']['name']}"
        pod = await self.connection.get(path)
        await self.connection.put(f"{path}/status", {**pod, "status": ran["status"]})
        self.pods.append(ran)
        await self._act_as_controller(endpoint_slice(ran, name=ran["metadata"]["name"]))

    async def _act_as_controller(self, published: dict[str, Any]) -> None:
        try:
            await self.connection.post(f"{SLICES}/{self.namespace}/endpointslices", published)
        except ClusterUnavailable as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            path, body = f"{CORE}/{self.namespace}/endpoints", endpoints(*self.pods)
            if len(self.pods) == 1:
                await self.connection.post(path, body)
            else:
                await self.connection.put(f"{path}/{SERVICE}", body)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with _kubeconfig(tmp_path) as kubeconfig:
        settings = KubernetesSettings(kubeconfig=kubeconfig)
        connection = await KubernetesConnection.open(settings)
        namespace = f"container-tracer-test-{secrets.token_hex(4)}"
        await connection.post(CORE, {"metadata": {"name": namespace}})
        machines = (await connection.get("/api/v1/nodes"))["items"]
        try:
            yield Cluster(connection, kubeconfig, namespace, bool(machines))
        finally:
            await connection.delete(f"{CORE}/{namespace}")
            await connection.close()


@asynccontextmanager
async def _kubeconfig(folder: Path) -> AsyncIterator[str]:
    if REAL:
        yield KubernetesSettings().kubeconfig_paths
        return
    async with FakeKubernetesApi() as api:
        api.subresources["pods", "portforward"] = FakePortForward(objects=api.objects)
        yield str(api.write_kubeconfig(folder / "kubeconfig"))
