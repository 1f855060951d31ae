"""The directory with the real library and a fake API, and what else may befall it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import pytest

from container_tracer.adapters.kubernetes.node_directory import KubernetesNodeDirectory
from container_tracer.adapters.kubernetes.settings import KubernetesSettings
from container_tracer.domain.model.nodes import Nodes
from container_tracer.fakes.kubernetes.access import Binding
from container_tracer.fakes.kubernetes.api import FakeKubernetesApi
from container_tracer.fakes.kubernetes.calls import PODS, SERVICES
from container_tracer.fakes.kubernetes.faults import Fault
from container_tracer.fakes.kubernetes.manifests import (
    cluster,
    endpoint_slice,
    endpoints,
    tracer_pod,
    tracer_service,
)
from container_tracer.ports.errors import ClusterUnavailable

NAMESPACE = "container-tracer"


@pytest.fixture
async def directory(settings: KubernetesSettings) -> AsyncIterator[KubernetesNodeDirectory]:
    directory = KubernetesNodeDirectory(
        settings=settings,
        pods_selector="app in (container-tracer-backend)",
        service_selector="metadata.name=container-tracer-node",
        shortest_watch_seconds=0,
    )
    yield directory
    await directory.close()


def names(nodes: Nodes) -> list[str]:
    return [one.name for one in nodes.ready]


async def test_pods_and_services_of_others_are_left_alone(
    api: FakeKubernetesApi, directory: KubernetesNodeDirectory
) -> None:
    await api.objects.put(
        *cluster({"worker-1": ("10.0.0.1", 8080)}),
        tracer_pod("stranger", node="worker-2", labels={"app": "web"}),
        tracer_pod("other", node="worker-3", namespace="elsewhere"),
        tracer_service("other", target=1),
    )
    assert names(await directory.nodes()) == ["worker-1"]


@pytest.mark.parametrize("absent", [True, False])
async def test_endpoints_say_the_port_where_there_are_no_slices(
    api: FakeKubernetesApi, directory: KubernetesNodeDirectory, absent: bool
) -> None:
    pod = tracer_pod("a", node="worker-1")
    await api.objects.put(pod, tracer_service(), endpoints(pod, port=7000))
    if absent:
        api.absent.add("discovery.k8s.io")
    assert [one.port for one in (await directory.nodes()).ready] == [7000]
    api.absent.clear()
    await api.objects.put(endpoint_slice(pod, port=7001))
    assert [one.port for one in (await directory.nodes()).ready] == [7001]


async def test_changes_are_followed_without_slices(
    api: FakeKubernetesApi, directory: KubernetesNodeDirectory
) -> None:
    api.absent.add("discovery.k8s.io")
    await api.objects.put(tracer_pod("a", node="worker-1"), tracer_service(target=8080))
    async with aclosing(directory.changes()) as changes:
        assert names(await anext(changes)) == ["worker-1"]
        await api.objects.delete(PODS, "a", namespace=NAMESPACE)
        assert names(await anext(changes)) == []
    assert {one.resource for one in api.calls if one.verb == "watch"} == {"pods"}


async def test_slices_of_a_service_that_comes_later_are_followed(
    api: FakeKubernetesApi, directory: KubernetesNodeDirectory
) -> None:
    pod = tracer_pod("a", node="worker-1")
    await api.objects.put(pod)
    async with aclosing(directory.changes()) as changes:
        assert list((await anext(changes)).unready) == ["worker-1"]
        next_one = asyncio.ensure_future(anext(changes))
        await api.watched("pods")
        await api.objects.put(tracer_service(), endpoint_slice(pod, port=7000))
        await directory.nodes()
        assert (await next_one).ready[0].port == 7000
        next_one = asyncio.ensure_future(anext(changes))
        await api.watched("endpointslices")
        await api.objects.put(endpoint_slice(pod, port=7001))
        assert (await next_one).ready[0].port == 7001


async def test_a_watch_goes_on_where_the_last_one_ended(
    api: FakeKubernetesApi, directory: KubernetesNodeDirectory
) -> None:
    await api.objects.put(*cluster({"worker-1": ("10.0.0.1", 8080)}))
    async with aclosing(directory.changes()) as changes:
        await anext(changes)
        next_one = asyncio.ensure_future(anext(changes))
        await api.watched("pods", "endpointslices")
        await api.objects.delete(SERVICES, "container-tracer-node", namespace=NAMESPACE)
        version = str(api.objects.version)
        await api.watches.bookmark(api.objects)
        await api.watches.end(api.objects)
        await api.watched("pods", "endpointslices", times=2)
        await api.objects.put(tracer_pod("b", node="worker-2"))
        assert names(await next_one) == ["worker-1", "worker-2"]
    watches = [one for one in api.calls if (one.verb, one.resource) == ("watch", "pods")]
    assert watches[1].query["resourceVersion"] == version
    lists = [one for one in api.calls if (one.verb, one.resource) == ("list", "pods")]
    assert len(lists) == 1


@pytest.mark.parametrize("as_status", [True, False])
async def test_what_is_forgotten_is_listed_anew(
    api: FakeKubernetesApi, directory: KubernetesNodeDirectory, as_status: bool
) -> None:
    await api.objects.put(*cluster({"worker-1": ("10.0.0.1", 8080)}))
    async with aclosing(directory.changes()) as changes:
        await anext(changes)
        next_one = asyncio.ensure_future(anext(changes))
        await api.watched("pods", "endpointslices")
        if as_status:
            api.faults.append(Fault(status=410, reason="Expired", verb="watch", resource="pods"))
        else:
            gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
            await api.watches.send("ERROR", gone, "pods")
        await api.watches.end(api.objects, "pods")
        await api.until(lambda: [one.verb for one in api.calls].count("list") == 4)
        await api.objects.put(tracer_pod("b", node="worker-2"))
        assert names(await next_one) == ["worker-1", "worker-2"]


async def test_a_list_whose_next_page_was_forgotten_is_asked_for_whole(
    api: FakeKubernetesApi, directory: KubernetesNodeDirectory
) -> None:
    await api.objects.put(tracer_service(target=8080))
    await api.objects.put(*(tracer_pod(f"p{i}", node=f"worker-{i}") for i in range(600)))
    listing = asyncio.create_task(directory.nodes())
    await api.until(lambda: any("continue" in one.query for one in api.calls))
    assert len((await listing).ready) == 600
    api.calls.clear()
    api.objects.forget()
    api.faults[:] = [Fault(status=410, reason="Expired", verb="list", resource="pods")]
    assert len((await directory.nodes()).ready) == 600
    assert [one.query["limit"] for one in api.calls if one.resource == "pods"] == ["500", "0"]


async def test_a_cluster_that_was_restored_from_a_backup_is_believed(
    api: FakeKubernetesApi, directory: KubernetesNodeDirectory
) -> None:
    await api.objects.put(*cluster({"worker-1": ("10.0.0.1", 8080)}))
    async with aclosing(directory.changes()) as changes:
        assert names(await anext(changes)) == ["worker-1"]
    api.objects.version = api.objects.oldest = 5
    api.objects.history.clear()
    await api.objects.put(*cluster({"worker-2": ("10.0.0.2", 8080)}))
    await api.objects.delete(PODS, f"{NAMESPACE}-node-worker-1", namespace=NAMESPACE)
    async with aclosing(directory.changes()) as changes:
        assert names(await anext(changes)) == ["worker-2"]
        next_one = asyncio.ensure_future(anext(changes))
        await api.watched("pods", times=1)
        await api.objects.put(tracer_pod("c", node="worker-3"))
        assert names(await next_one) == ["worker-2", "worker-3"]


@pytest.mark.parametrize("fault", [Fault(status=200, body=b"{}"), Fault(status=200, body=b"junk")])
async def test_a_list_that_is_none_is_a_failure(
    api: FakeKubernetesApi, directory: KubernetesNodeDirectory, fault: Fault
) -> None:
    api.faults.append(fault)
    with pytest.raises(ClusterUnavailable, match="does not speak as Kubernetes does"):
        await directory.nodes()


async def test_an_error_that_ends_a_watch_is_a_failure(
    api: FakeKubernetesApi, directory: KubernetesNodeDirectory
) -> None:
    async with aclosing(directory.changes()) as changes:
        await anext(changes)
        next_one = asyncio.ensure_future(anext(changes))
        await api.watched("pods")
        await api.watches.send("ERROR", {"code": 500, "message": "etcd is away"})
        with pytest.raises(ClusterUnavailable, match=r"ended a watch: etcd is away\."):
            await next_one


READ_PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}
READ_SERVICES = {"apiGroups": [""], "resources": ["services"], "verbs": ["list"]}
READ_SLICES = {
    "apiGroups": ["discovery.k8s.io"],
    "resources": ["endpointslices"],
    "verbs": ["list", "watch"],
}


async def allow(api: FakeKubernetesApi, *rules: Mapping[str, Any]) -> None:
    api.access.authorizes = True
    binding = Binding(subject="system:unauthenticated", rules=rules, namespace=NAMESPACE)
    api.access.bindings[:] = [binding]
    await api.objects.put(*cluster({"worker-1": ("10.0.0.1", 8080)}))


async def test_these_rights_are_enough(
    api: FakeKubernetesApi, directory: KubernetesNodeDirectory
) -> None:
    await allow(api, READ_PODS, READ_SERVICES, READ_SLICES)
    async with aclosing(directory.changes()) as changes:
        assert names(await anext(changes)) == ["worker-1"]
        next_one = asyncio.ensure_future(anext(changes))
        await api.watched("pods", "endpointslices")
        await api.objects.put(tracer_pod("b", node="worker-2"))
        assert names(await next_one) == ["worker-1", "worker-2"]


@pytest.mark.parametrize("missing", ["pods", "services", "endpointslices"])
async def test_a_right_that_is_missing_is_named(
    api: FakeKubernetesApi, directory: KubernetesNodeDirectory, missing: str
) -> None:
    rules: list[Mapping[str, Any]] = [READ_PODS, READ_SERVICES, READ_SLICES]
    await allow(api, *(one for one in rules if missing not in one["resources"]))
    with pytest.raises(ClusterUnavailable, match=f'cannot list resource "{missing}"') as caught:
        await directory.nodes()
    assert caught.value.status == 403


async def test_nothing_is_left_when_nobody_follows_any_more(
    api: FakeKubernetesApi, directory: KubernetesNodeDirectory
) -> None:
    changes = directory.changes()
    await anext(changes)
    waiting = asyncio.ensure_future(anext(changes))
    await api.watched("pods")
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    await changes.aclose()
    assert [one.get_name() for one in asyncio.all_tasks() if "watch " in one.get_name()] == []
