"""Roles of Kubernetes in the manifests allow what the programs ask for, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from container_tracer.fakes.kubernetes.access import Access, Binding, User
from container_tracer.fakes.kubernetes.api import FakeKubernetesApi
from container_tracer.fakes.kubernetes.manifests import endpoints, tracer_pod, tracer_service
from tests.integration.node.conftest import Node, StartNode, start_node
from tests.integration.svc.conftest import StartSvc, free_port, start_svc

from .conftest import Manifest, of_kind, pods_of

__all__ = ["start_node", "start_svc"]

Right: TypeAlias = tuple[str, str, str]
"""A verb, an API group and a resource."""

Be: TypeAlias = Callable[[str], None]

ALICE = {"Authorization": "Bearer alice"}
MAY_TRACE = [{"apiGroups": ["container-tracer.io"], "resources": ["*"], "verbs": ["*"]}]

FLAGS = {"kubernetes-auth": "--auth-kubernetes", "jaeger-auto": "--jaeger-endpoint=auto"}
"""What programs do with what a component gives them."""

WATCHED = {"kubernetes-auth": (), "jaeger-auto": ("services",)}
"""What they watch then."""

pytestmark = pytest.mark.parametrize("with_component", list(FLAGS), indirect=True)


@pytest.fixture
def component(request: pytest.FixtureRequest) -> str:
    """The name of the component."""
    return str(request.node.callspec.params["with_component"])


@pytest.fixture
async def api(with_component: list[Manifest]) -> AsyncIterator[FakeKubernetesApi]:
    """A cluster that allows what the manifests say, to whom they say it; Alice may trace."""
    users = {"alice": User(name="alice")}
    bindings = [Binding(subject="alice", rules=MAY_TRACE)]
    for role, account in accounts(with_component).items():
        users[role] = User(name=account)
        bindings += bindings_of(account, with_component)
    access = Access(users=users, bindings=bindings, authenticates=True, authorizes=True)
    async with FakeKubernetesApi(access=access) as api:
        yield api


def accounts(manifests: Sequence[Manifest]) -> dict[str, str]:
    """Return who each role is to Kubernetes."""
    return {
        role: f"system:serviceaccount:container-tracer:{pod['spec']['serviceAccountName']}"
        for role, pod in pods_of(manifests).items()
    }


def bindings_of(account: str, manifests: Sequence[Manifest]) -> list[Binding]:
    """Return what binds an account to the rules of a role."""
    found = []
    for kind, role_kind in (("RoleBinding", "Role"), ("ClusterRoleBinding", "ClusterRole")):
        roles = of_kind(role_kind, manifests)
        for one in of_kind(kind, manifests).values():
            assert one["roleRef"]["kind"] == role_kind
            names = [f"{_kind(one)}:{one['namespace']}:{one['name']}" for one in one["subjects"]]
            rules = roles[one["roleRef"]["name"]]["rules"]
            namespace = one["metadata"].get("namespace", "") if kind == "RoleBinding" else ""
            if account in names:
                found.append(Binding(subject=account, rules=rules, namespace=namespace))
    return found


def _kind(subject: Mapping[str, Any]) -> str:
    assert subject["kind"] == "ServiceAccount"
    return "system:serviceaccount"


def allowed(bindings: Sequence[Binding]) -> set[Right]:
    return {
        right
        for binding in bindings
        for rule in binding.rules
        for right in product(rule["verbs"], rule["apiGroups"], rule["resources"])
    }


def used(api: FakeKubernetesApi) -> set[Right]:
    return {(call.verb, call.group, call.resource) for call in api.calls}


@pytest.fixture
def be(api: FakeKubernetesApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Be:
    """Let programs started from now on be a role to Kubernetes."""

    def become(role: str) -> None:
        config = api.write_kubeconfig(tmp_path / role, token=role, namespace="container-tracer")
        monkeypatch.setenv("KUBECONFIG", str(config))

    return become


async def test_tracer_svc_uses_each_of_its_rights_and_needs_no_other(
    api: FakeKubernetesApi,
    component: str,
    with_component: list[Manifest],
    start_svc: StartSvc,
    be: Be,
) -> None:
    pod = tracer_pod("tracer-a", node="worker-1", ip="127.0.0.1")
    await api.objects.put(tracer_service(), pod, endpoints(pod, port=free_port()))
    be("svc")
    svc = await asyncio.to_thread(start_svc, flags=(FLAGS[component],))
    await api.watched("pods", "endpointslices", *WATCHED[component])
    answer = await asyncio.to_thread(svc.ask, "GET", "/v1/pods", headers=ALICE)
    assert (answer.status, set(answer.failed)) == (502, {"worker-1"})
    assert used(api) == allowed(bindings_of(accounts(with_component)["svc"], with_component))


@pytest.mark.kernel
async def test_tracer_node_uses_each_of_its_rights_and_needs_no_other(
    api: FakeKubernetesApi,
    component: str,
    with_component: list[Manifest],
    start_node: StartNode,
    be: Be,
) -> None:
    be("node")
    node: Node = await asyncio.to_thread(start_node, FLAGS[component])
    await api.watched(*WATCHED[component])
    status, _ = await asyncio.to_thread(node.ask, "GET", "/v1/pods", headers=ALICE)
    assert status == 200
    assert used(api) == allowed(bindings_of(accounts(with_component)["node"], with_component))
