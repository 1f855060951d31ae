"""A real svc that finds its nodes through a Kubernetes API, which is not always there."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from container_tracer.fakes.kubernetes.api import FakeKubernetesApi
from container_tracer.fakes.kubernetes.calls import PODS
from container_tracer.fakes.kubernetes.manifests import cluster, tracer_pod

from .conftest import Answer, StartSvc, Svc
from .rough_nodes import StartRough, pods

NAMESPACE = "container-tracer"


@pytest.fixture
async def api() -> AsyncIterator[FakeKubernetesApi]:
    async with FakeKubernetesApi() as api:
        yield api


async def answer_of(svc: Svc, path: str, fits: Callable[[Answer], bool]) -> Answer:
    """Ask until the answer fits."""
    async with asyncio.timeout(20):
        while not fits(answer := await svc.asked(path)):  # noqa: ASYNC110 - svc is another process
            await asyncio.sleep(0.05)
        return answer


def names(*wanted: str) -> Callable[[Answer], bool]:
    return lambda answer: answer.status == 200 and set(answer.json) == set(wanted)


def errors(answer: Answer) -> dict[str, str]:
    return {one["node"]: one["detail"] for one in answer.node_errors}


async def test_svc_knows_its_nodes_while_the_api_comes_and_goes(
    api: FakeKubernetesApi, start_rough: StartRough, start_svc: StartSvc, tmp_path: Path
) -> None:
    four, six = await start_rough(pods("four")), await start_rough(pods("six"), "::1")
    late = await start_rough(pods("late"))

    def place(ip: str, node: Any) -> tuple[str, int]:
        return ip, int(node.where.rpartition(":")[2])

    await api.objects.put(
        *cluster({"worker-4": place("127.0.0.1", four), "worker-6": place("::1", six)}),
        tracer_pod("starting", node="worker-7", ready=False),
    )
    config = api.write_kubeconfig(tmp_path / "config", namespace=NAMESPACE)
    flags = ("--kubeconfig", str(config), "--poll", "1")
    svc = await asyncio.to_thread(start_svc, flags=flags)

    # Both families of addresses are asked; who is not ready says why.
    answer = await answer_of(svc, "/v1/pods", names("four", "six"))
    assert "its pod starting is not ready since" in errors(answer)["worker-7"]

    # A node that goes is asked no more.
    await api.objects.delete(PODS, f"{NAMESPACE}-node-worker-6", namespace=NAMESPACE)
    await answer_of(svc, "/v1/pods", names("four"))

    # While the API is away the nodes stay, and svc says since when.
    await api.stop()
    ready = await answer_of(svc, "/readyz", lambda one: bool(one.json["stale"]))
    assert ready.json["nodes"] == 1
    assert "s ago: The Kubernetes API at" in ready.json["stale"]
    assert names("four")(await svc.asked("/v1/pods"))

    # When it is back, with its history lost, what came meanwhile is known.
    await api.objects.put(*cluster({"worker-8": place("127.0.0.1", late)}))
    api.objects.forget()
    await api.start()
    await answer_of(svc, "/v1/pods", names("four", "late"))
    await answer_of(svc, "/readyz", lambda one: one.json["stale"] == "")


async def test_svc_waits_for_a_cluster_it_cannot_reach_yet(
    api: FakeKubernetesApi, start_rough: StartRough, start_svc: StartSvc, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    flags = ("--kubeconfig", str(config), "--poll", "1")
    svc = await asyncio.to_thread(start_svc, flags=flags)
    nothing = await svc.asked("/v1/pods")
    assert nothing.status == 503
    assert f"There is no kubeconfig at {config}" in nothing.json["detail"]
    assert (await svc.asked("/readyz")).status == 503

    node = await start_rough(pods("shop"))
    port = int(node.where.rpartition(":")[2])
    await api.objects.put(*cluster({"worker-1": ("127.0.0.1", port)}))
    api.write_kubeconfig(config, namespace=NAMESPACE)
    await answer_of(svc, "/v1/pods", names("shop"))
