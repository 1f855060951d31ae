import json
from pathlib import Path

import pytest

from container_tracer.domain.model.container_names import (
    ContainerNames,
    first_said,
    from_docker,
    from_kubelet_log,
    from_oci_bundle,
    host_name_in,
    host_name_in_environment,
)

DATA = Path(__file__).parents[3] / "data" / "procfs"
ID = "ab" * 32


def test_a_recorded_bundle_of_containerd_names_pod_and_container() -> None:
    assert from_oci_bundle((DATA / "containerd-bundle.json").read_bytes()) == ContainerNames(
        container="main",
        pod="web-0",
        namespace="demo",
        pod_uid="8264f79f-4376-4171-994e-9e1dcbefb607",
        image="localhost/busybox:test",
        runtime="containerd",
        kind="container",
    )


def test_a_bundle_of_cri_o_names_pod_container_labels_and_handler() -> None:
    document = {
        "annotations": {
            "io.kubernetes.container.name": "main",
            "io.kubernetes.pod.name": "web-0",
            "io.kubernetes.pod.namespace": "demo",
            "io.kubernetes.pod.uid": "8264f79f",
            "io.kubernetes.cri-o.ContainerType": "sandbox",
            "io.kubernetes.cri-o.ImageName": "busybox",
            "io.kubernetes.cri-o.Labels": '{"app": "web"}',
            "io.kubernetes.cri-o.RuntimeHandler": "kata-qemu",
        }
    }

    assert from_oci_bundle(json.dumps(document).encode()) == ContainerNames(
        container="main",
        pod="web-0",
        namespace="demo",
        pod_uid="8264f79f",
        image="busybox",
        labels={"app": "web"},
        runtime="cri-o",
        kind="sandbox",
        vm=True,
    )


def test_a_bundle_of_podman_says_whose_it_is() -> None:
    document = b'{"annotations": {"io.container.manager": "libpod"}}'

    assert from_oci_bundle(document) == ContainerNames(runtime="podman")


def test_docker_names_a_container_after_a_slash() -> None:
    document = {"Name": "/web", "Config": {"Image": "nginx", "Labels": {"app": "web"}}}

    assert from_docker(json.dumps(document).encode()) == ContainerNames(
        container="web", image="nginx", labels={"app": "web"}, runtime="docker"
    )


def test_docker_below_kubernetes_has_the_kubelets_names() -> None:
    labels = {
        "io.kubernetes.container.name": "POD",
        "io.kubernetes.pod.name": "web-0",
        "io.kubernetes.pod.namespace": "demo",
        "io.kubernetes.pod.uid": "8264f79f",
        "io.kubernetes.docker.type": "podsandbox",
    }
    names = from_docker(json.dumps({"Name": "/k8s_POD", "Config": {"Labels": labels}}).encode())

    assert (names.container, names.pod, names.kind) == ("POD", "web-0", "sandbox")


def test_the_link_of_a_kubelet_log_names_pod_namespace_and_container() -> None:
    assert from_kubelet_log(f"web-0_demo_side-car-{ID}.log") == (
        ID,
        ContainerNames(container="side-car", pod="web-0", namespace="demo"),
    )


@pytest.mark.parametrize("name", ["", "x.log", f"a_b_{ID}.log", "a_b_c-1.log", f"a_b_c-{ID}.gz"])
def test_other_file_names_say_nothing(name: str) -> None:
    assert from_kubelet_log(name) is None


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"annotations": 1, "Config": [], "Name": 2}',
        b"[" * 9999,
    ],
)
def test_broken_documents_say_nothing_of_names(document: bytes) -> None:
    assert from_oci_bundle(document) == ContainerNames()
    assert from_docker(document) == ContainerNames(runtime="docker")


def test_for_each_field_the_first_that_says_it_counts() -> None:
    said = [ContainerNames(pod="a"), ContainerNames(pod="b", image="i"), ContainerNames(image="j")]

    assert first_said(said) == ContainerNames(pod="a", image="i")


@pytest.mark.parametrize(
    ("text", "name"),
    [("web-0\n", "web-0"), ("", ""), ("a/b", ""), ("a b", ""), ("a\x07", ""), ("x" * 254, "")],
)
def test_only_a_usable_host_name_is_taken(text: str, name: str) -> None:
    assert host_name_in(text) == name


def test_the_host_name_is_found_in_an_environment() -> None:
    assert host_name_in_environment(b"PATH=/bin\0HOSTNAME=web-0\0X=1\0") == "web-0"
    assert host_name_in_environment(b"MY_HOSTNAME=web-0\0") == ""
