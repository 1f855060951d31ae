"""What Kustomize makes of `deploy/`, by the kubectl that is here and by Debian's."""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml

from container_tracer.entrypoints.node.settings import NodeSettings
from container_tracer.entrypoints.options import options_of
from container_tracer.entrypoints.svc.settings import SvcSettings

DEPLOY = Path(__file__).parents[2] / "deploy"
OVERLAYS = ("base", "tls/external", "tls/self-signed")
COMPONENTS = ("jaeger-auto", "kubernetes-auth", "privileged", "span-forwarder", "tokens")

FIRST_WITH_COMPONENTS = (1, 21)
SETTINGS: dict[str, type] = {"node": NodeSettings, "svc": SvcSettings}

Manifest: TypeAlias = Mapping[str, Any]
Build: TypeAlias = Callable[[Path], Sequence[Manifest]]


@pytest.fixture(scope="session")
def debian_kubectl(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Kubectl of Debian's kubernetes-client, unpacked without being installed."""
    folder = tmp_path_factory.mktemp("kubernetes-client")
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        pytest.skip("this is not Debian")
    command = ["apt-get", "download", "kubernetes-client"]
    got = subprocess.run(command, cwd=folder, check=False, capture_output=True, timeout=100)
    packages = list(folder.glob("*.deb"))
    if got.returncode or not packages:
        pytest.skip("Debian's kubernetes-client cannot be had here")
    subprocess.run(["dpkg", "-x", packages[0], folder], check=True, timeout=60)
    return str(folder / "usr/bin/kubectl")


def build_with(kubectl: str, folder: Path) -> list[Manifest]:
    command = [kubectl, "kustomize", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def kubectl_version() -> tuple[int, ...]:
    """Return the version of this machine's kubectl, such as (1, 32)."""
    command = ["kubectl", "version", "--client", "--output", "json"]
    said = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
    version: str = json.loads(said)["clientVersion"]["gitVersion"]
    return tuple(int(part) for part in version.removeprefix("v").split(".")[:2])


@pytest.fixture(scope="session")
def build() -> Build:
    """Build a folder with the kubectl of this machine."""
    kubectl = shutil.which("kubectl")
    if not kubectl:
        pytest.skip("there is no kubectl here (Debian: kubernetes-client)")

    @cache
    def built(folder: Path) -> list[Manifest]:
        return build_with(kubectl, folder)

    return built


@pytest.fixture(params=OVERLAYS)
def manifests(request: pytest.FixtureRequest, build: Build) -> Sequence[Manifest]:
    """All objects of one of the ways to install."""
    return build(DEPLOY / request.param)


@pytest.fixture(scope="session")
def base(build: Build) -> Sequence[Manifest]:
    return build(DEPLOY / "base")


@pytest.fixture
def with_component(request: pytest.FixtureRequest, build: Build, tmp_path: Path) -> list[Manifest]:
    """All objects over TLS, with the component that the test names."""
    if kubectl_version() < FIRST_WITH_COMPONENTS:
        pytest.skip("the kubectl that is here knows no components")
    # Kustomize takes no absolute paths.
    up = "../" * (len(tmp_path.resolve().parts) - 1)
    here = up + str(DEPLOY.resolve()).removeprefix("/")
    kustomization = {
        "resources": [f"{here}/tls/external"],
        "components": [f"{here}/components/{request.param}"],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return list(build(tmp_path))


def of_kind(kind: str, manifests: Sequence[Manifest]) -> dict[str, Manifest]:
    """Return the objects of a kind, by name."""
    return {one["metadata"]["name"]: one for one in manifests if one["kind"] == kind}


def pods_of(manifests: Sequence[Manifest]) -> dict[str, Manifest]:
    """Return the templates of both roles' pods, by role."""
    node = of_kind("DaemonSet", manifests)["container-tracer-node"]
    svc = of_kind("Deployment", manifests)["container-tracer-svc"]
    return {"node": node["spec"]["template"], "svc": svc["spec"]["template"]}


def containers(manifests: Sequence[Manifest]) -> dict[str, Manifest]:
    """Return the only container of both roles' pods, by role."""
    found = {}
    for role, pod in pods_of(manifests).items():
        (found[role],) = pod["spec"]["containers"]
    return found


def variables(role: str) -> set[str]:
    """Return the variables that the program of a role reads."""
    options = options_of(SETTINGS[role]).values()
    return {variable for option in options for variable in option.variables}
