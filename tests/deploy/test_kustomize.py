"""Every kustomization builds, and makes what Kubernetes knows."""

from collections.abc import Sequence

import pytest
from kubernetes import client
from pydantic import BaseModel

from container_tracer.domain.model.collector_services import PORT

from .conftest import (
    COMPONENTS,
    DEPLOY,
    OVERLAYS,
    Build,
    Manifest,
    build_with,
    containers,
    of_kind,
    pods_of,
    variables,
)

CERT_MANAGER = "cert-manager.io/v1"


def test_every_folder_is_tried_here() -> None:
    found = {str(one.parent.relative_to(DEPLOY)) for one in DEPLOY.rglob("kustomization.yaml")}
    assert found == {*OVERLAYS, *(f"components/{name}" for name in COMPONENTS)}


def test_every_file_is_used() -> None:
    for kustomization in DEPLOY.rglob("kustomization.yaml"):
        beside = {one.name for one in kustomization.parent.glob("*.yaml")} - {kustomization.name}
        text = kustomization.read_text()
        assert [name for name in beside if name not in text] == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubectl_of_debian_makes_the_same(overlay: str, build: Build, debian_kubectl: str) -> None:
    def key(one: Manifest) -> str:
        return f"{one['kind']}/{one['metadata']['name']}"

    old = sorted(build_with(debian_kubectl, DEPLOY / overlay), key=key)
    assert old == sorted(build(DEPLOY / overlay), key=key)


def test_kubernetes_knows_every_key(manifests: Sequence[Manifest]) -> None:
    _check_keys(manifests)


def _check_keys(manifests: Sequence[Manifest]) -> None:
    for one in manifests:
        if one["apiVersion"] != CERT_MANAGER:
            model: type[BaseModel] = getattr(client, f"V1{one['kind']}")
            read = model.model_validate(one)
            # What a model does not know does not come out of it again.
            assert read.model_dump(by_alias=True, exclude_none=True, mode="json") == one


def test_everything_is_in_the_namespace(manifests: Sequence[Manifest]) -> None:
    (namespace,) = of_kind("Namespace", manifests)
    others = [one for one in manifests if one["kind"] != "Namespace"]
    assert {one["metadata"]["namespace"] for one in others} == {namespace}


@pytest.mark.parametrize("with_component", COMPONENTS, indirect=True)
def test_components_go_with_every_overlay(with_component: list[Manifest]) -> None:
    _check_keys(with_component)


@pytest.mark.parametrize("with_component", COMPONENTS, indirect=True)
def test_programs_know_what_components_tell_them(with_component: list[Manifest]) -> None:
    for role, container in containers(with_component).items():
        assert {one["name"] for one in container["env"]} <= variables(role)


@pytest.mark.parametrize("with_component", ["privileged"], indirect=True)
def test_privileged_leaves_nothing_forbidden(with_component: list[Manifest]) -> None:
    node, svc = (pods_of(with_component)[role]["spec"] for role in ("node", "svc"))
    assert node["containers"][0]["securityContext"]["privileged"] is True
    assert "capabilities" not in node["containers"][0]["securityContext"]
    assert node["securityContext"]["seccompProfile"] == {"type": "Unconfined"}
    assert "privileged" not in svc["containers"][0]["securityContext"]


@pytest.mark.parametrize("with_component", ["jaeger-auto"], indirect=True)
def test_svc_may_reach_the_jaeger_that_it_finds(with_component: list[Manifest]) -> None:
    policies = of_kind("NetworkPolicy", with_component).values()
    ports = [
        port["port"]
        for one in policies
        if one["spec"]["podSelector"]["matchLabels"] == {"app": "container-tracer-svc"}
        for rule in one["spec"]["egress"]
        for port in rule["ports"]
    ]
    assert PORT in ports
