import pytest

from container_tracer.domain.model.cri_sockets import candidate_sockets, endpoint_path


def test_sockets_are_looked_for_below_every_run_path() -> None:
    found = list(candidate_sockets(["/run", "/var/run"]))
    assert found[:2] == ["/run/containerd/containerd.sock", "/var/run/containerd/containerd.sock"]
    assert {
        "/run/crio/crio.sock",
        "/run/cri-dockerd.sock",
        "/var/run/dockershim.sock",
        "/run/k3s/containerd/containerd.sock",
        "/run/k0s/containerd.sock",
        "/var/snap/microk8s/common/run/containerd.sock",
    } <= set(found)


def test_in_a_container_the_folders_of_the_host_are_looked_at_too() -> None:
    found = set(candidate_sockets(["/run"], host_root="/host/proc/1/root"))
    assert "/run/crio/crio.sock" in found
    assert "/host/proc/1/root/run/crio/crio.sock" in found
    assert "/host/proc/1/root/var/snap/microk8s/common/run/containerd.sock" in found
    assert "/var/snap/microk8s/common/run/containerd.sock" not in found


@pytest.mark.parametrize(
    "text", ["/run/a.sock", "unix:///run/a.sock", "unix:/run/a.sock", " /run/a.sock "]
)
def test_an_endpoint_may_be_written_with_or_without_its_scheme(text: str) -> None:
    assert endpoint_path(text) == "/run/a.sock"


@pytest.mark.parametrize("text", ["", "run/a.sock", "unix://", "tcp://10.0.0.1:1", "/run/a\n.sock"])
def test_what_is_no_unix_socket_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no CRI socket"):
        endpoint_path(text)


def test_a_path_that_no_socket_can_have_is_refused() -> None:
    assert endpoint_path(f"/{'x' * 106}")
    with pytest.raises(ValueError, match="107 bytes at most"):
        endpoint_path(f"/{'x' * 107}")
