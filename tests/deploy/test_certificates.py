"""Certificates that cert-manager makes are those that the programs look for."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import pytest

from container_tracer.entrypoints.tls_settings import NODE_SERVER_NAME

from .conftest import DEPLOY, Build, Manifest, containers, of_kind, pods_of


@pytest.fixture
def signed(build: Build) -> Sequence[Manifest]:
    return build(DEPLOY / "tls/self-signed")


def certificate(name: str, manifests: Sequence[Manifest]) -> Mapping[str, Any]:
    spec: Mapping[str, Any] = of_kind("Certificate", manifests)[name]["spec"]
    return spec


def variable(role: str, name: str, manifests: Sequence[Manifest]) -> str:
    env = {one["name"]: one.get("value", "") for one in containers(manifests)[role]["env"]}
    return str(env[name])


def test_nodes_are_called_as_svc_expects(signed: Sequence[Manifest]) -> None:
    assert certificate("container-tracer-node", signed)["dnsNames"] == [NODE_SERVER_NAME]


def test_svc_is_called_as_nodes_expect(signed: Sequence[Manifest]) -> None:
    shown = certificate("container-tracer-svc-client", signed)
    assert shown["dnsNames"] == [variable("node", "TRACER_CLIENT_NAMES", signed)]
    assert "client auth" in shown["usages"]


def test_no_server_can_pass_for_a_client(signed: Sequence[Manifest]) -> None:
    for name in ("container-tracer-node", "container-tracer-svc"):
        assert "client auth" not in certificate(name, signed)["usages"]


def test_clients_find_svc_under_the_name_of_its_service(signed: Sequence[Manifest]) -> None:
    (service,) = [one for one in of_kind("Service", signed) if one.endswith("svc")]
    namespace = of_kind("Service", signed)[service]["metadata"]["namespace"]
    names = certificate("container-tracer-svc", signed)["dnsNames"]
    assert {service, f"{service}.{namespace}.svc", "localhost"} <= set(names)


def test_every_issuer_is_there(signed: Sequence[Manifest]) -> None:
    named = {one["spec"]["issuerRef"]["name"] for one in of_kind("Certificate", signed).values()}
    assert named == set(of_kind("Issuer", signed))


def test_pods_mount_the_secrets_that_certificates_fill(signed: Sequence[Manifest]) -> None:
    volumes = [one for pod in pods_of(signed).values() for one in pod["spec"].get("volumes", ())]
    mounted = {one["secret"]["secretName"] for one in volumes if "secret" in one}
    made = [one["spec"] for one in of_kind("Certificate", signed).values()]
    assert mounted == {one["secretName"] for one in made if not one.get("isCA")}


def test_programs_look_for_files_where_secrets_are_mounted(signed: Sequence[Manifest]) -> None:
    for container in containers(signed).values():
        places = {one["mountPath"] for one in container["volumeMounts"]}
        files = [one["value"] for one in container["env"] if one.get("value", "")[:4] == "/tls"]
        assert files
        for file in map(PurePosixPath, files):
            assert str(file.parent) in places
            assert file.name in {"tls.crt", "tls.key", "ca.crt"}
