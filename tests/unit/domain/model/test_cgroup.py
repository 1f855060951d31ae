from pathlib import Path

import pytest

from container_tracer.domain.model.cgroup import (
    CgroupMembership,
    ContainerCgroup,
    container_of,
    parse_membership,
)

DATA = Path(__file__).parents[3] / "data" / "procfs"
ID = "ce2e297cb65ecf047479cce3ff57ff768b95df92983ba69a74673bacc240b3e5"
OTHER = "77d25c6902a03ac2a0bbe5c5fc2c83480d1795c5c077e2e97789d19497bef5c9"
UID = "8264f79f-4376-4171-994e-9e1dcbefb607"
UID_IN_UNIT = UID.replace("-", "_")
POD_SLICE = f"kubepods-burstable-pod{UID_IN_UNIT}.slice"

BY_ID = [
    # path, runtime, pod uid
    (f"/kubepods/besteffort/pod{UID}/{ID}", "", UID),
    (f"/kubepods/pod{UID}/{ID}", "", UID),
    (f"/kubetest/kubepods/burstable/pod{UID}/{ID}", "", UID),
    (f"/kubepods/besteffort/pod{UID}/crio-{ID}", "cri-o", UID),
    (f"/kubepods.slice/{POD_SLICE}/cri-containerd-{ID}.scope", "containerd", UID),
    (f"/kubepods.slice/kubepods-pod{UID_IN_UNIT}.slice/crio-{ID}.scope", "cri-o", UID),
    (f"/kubepods.slice/{POD_SLICE}/docker-{ID}.scope", "docker", UID),
    (f"/system.slice/containerd.service/{POD_SLICE}:cri-containerd:{ID}", "containerd", UID),
    (f"/kubelet.slice/kubelet-kubepods-besteffort-pod{UID_IN_UNIT}.slice/{ID}", "", UID),
    (f"/../../kubepods.slice/{POD_SLICE}/cri-containerd-{ID}.scope", "containerd", UID),
    (f"/docker/{ID}", "docker", ""),
    (f"/system.slice/docker-{ID}.scope", "docker", ""),
    (f"/system.slice/nerdctl-{ID}.scope", "containerd", ""),
    (f"/machine.slice/libpod-{ID}.scope", "podman", ""),
    (f"/libpod_parent/libpod-{ID}", "podman", ""),
    (f"/system.slice/web.service/libpod-payload-{ID}", "podman", ""),
    (f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope", "podman", ""),
    (f"/ecs/task/{ID}", "", ""),
    (f"/kubepods/besteffort/pod{UID}/kata_{ID}", "kata", UID),
    (f"/kata_overhead/{ID}", "kata", ""),
]


@pytest.mark.parametrize(("path", "runtime", "pod_uid"), BY_ID)
def test_a_path_tells_the_container_its_runtime_and_its_pod(
    path: str, runtime: str, pod_uid: str
) -> None:
    assert container_of(path) == ContainerCgroup(
        container_id=ID, path=path, runtime=runtime, pod_uid=pod_uid
    )


@pytest.mark.parametrize("below", ["/container", "/init.scope", "/system.slice/cron.service"])
@pytest.mark.parametrize(("path", "runtime", "pod_uid"), BY_ID)
def test_sub_cgroups_of_a_container_are_that_container(
    path: str, runtime: str, pod_uid: str, below: str
) -> None:
    found = container_of(path + below)

    assert found == ContainerCgroup(container_id=ID, path=path, runtime=runtime, pod_uid=pod_uid)


@pytest.mark.parametrize(
    ("path", "own", "name", "runtime"),
    [
        ("/lxc.payload.web/system.slice/x.service", "/lxc.payload.web", "web", "lxc"),
        ("/lxc.payload/web", "/lxc.payload/web", "web", "lxc"),
        ("/lxc/101/ns", "/lxc/101", "101", "lxc"),
        (
            "/machine.slice/machine-my\\x2dbox.scope/payload/init.scope",
            "/machine.slice/machine-my\\x2dbox.scope",
            "my-box",
            "systemd-nspawn",
        ),
        (
            "/machine.slice/systemd-nspawn@box.service/payload",
            "/machine.slice/systemd-nspawn@box.service",
            "box",
            "systemd-nspawn",
        ),
    ],
)
def test_system_containers_are_known_by_name(path: str, own: str, name: str, runtime: str) -> None:
    assert container_of(path) == ContainerCgroup(
        container_id=name, path=own, runtime=runtime, name=name
    )


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/init.scope",
        "/system.slice/containerd.service",
        f"/machine.slice/libpod-conmon-{ID}.scope",
        f"/machine.slice/crio-conmon-{ID}.scope",
        "/lxc.monitor.web",
        "/machine.slice/machine-box.scope/supervisor",
        "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope",
        f"/kubepods/besteffort/pod{UID}",
        "/user.slice/user-1000.slice/session-2.scope",
        "/jobs/f9cfcc8363bb91e3ae6f90f5dc5f6c84",
        f"/{ID}x",
        "/podman/deadbeefdeadbeef",
        "/kata_overhead/",
    ],
)
def test_other_paths_name_no_container(path: str) -> None:
    assert container_of(path) is None


def test_of_containers_in_containers_the_innermost_wins() -> None:
    kind = f"/docker/{ID}/kubelet/kubepods/besteffort/pod{UID}/{OTHER}"

    found = container_of(kind)

    assert found == ContainerCgroup(container_id=OTHER, path=kind, pod_uid=UID)


def test_a_container_made_inside_of_a_pod_is_not_in_that_pod() -> None:
    found = container_of(f"/kubepods/pod{UID}/{ID}/docker/{OTHER}")

    assert found is not None
    assert (found.container_id, found.pod_uid) == (OTHER, "")


def test_containers_with_the_same_name_in_different_places_have_different_keys() -> None:
    outer, inner = container_of("/lxc/a"), container_of("/lxc/b/lxc/a")

    assert outer is not None
    assert inner is not None
    assert outer.key != inner.key


def test_a_short_id_counts_only_below_a_pod() -> None:
    below_pod = container_of("/kubepods/podcafe-01/0123456789ab")

    assert below_pod is not None
    assert (below_pod.container_id, below_pod.pod_uid) == ("0123456789ab", "cafe-01")
    assert container_of("/jobs/0123456789ab") is None


@pytest.mark.parametrize(
    ("sample", "container_id", "hierarchies"),
    [
        ("hybrid-container", ID, set(range(10))),
        ("kubelet-own-root", OTHER, set(range(10))),
        (
            "v2-container",
            "89c7a2ddf09197d815ad60e660eefadb5bb4423df90e6f8287cc0f942d454272",
            {0},
        ),
    ],
)
def test_recorded_files_name_their_container_in_the_hierarchies_it_is_in(
    sample: str, container_id: str, hierarchies: set[int]
) -> None:
    membership = parse_membership((DATA / f"{sample}.cgroup").read_text())

    assert membership.container is not None
    assert membership.container.container_id == container_id
    assert set(membership.container_paths) == hierarchies
    assert membership.container_paths[0] == membership.container.path


def test_a_process_of_the_host_is_in_no_container() -> None:
    membership = parse_membership((DATA / "hybrid-host.cgroup").read_text())

    assert membership.container is None
    assert membership.container_paths == {}


def test_cgroup_v2_is_preferred_and_v1_is_used_where_v2_names_nothing() -> None:
    both = parse_membership(f"4:memory:/docker/{ID}\n0::/system.slice/docker-{ID}.scope\n")
    v1_only = parse_membership(f"4:memory:/docker/{ID}\n0::/system.slice/docker.service\n")

    assert both.container is not None
    assert both.container.path == f"/system.slice/docker-{ID}.scope"
    assert v1_only.container_paths == {4: f"/docker/{ID}"}


def test_a_deeper_container_on_a_v1_line_wins_over_its_outer_one_on_the_v2_line() -> None:
    inner = f"/docker/{ID}/kubepods/pod{UID}/{OTHER}"

    membership = parse_membership(f"4:memory:{inner}\n0::/docker/{ID}\n")

    assert membership.container_paths == {4: inner}


def test_a_cgroup_removed_under_an_exiting_task_keeps_its_name() -> None:
    membership = parse_membership(f"0::/docker/{ID} (deleted)\n")

    assert membership.container_paths == {0: f"/docker/{ID}"}


@pytest.mark.parametrize(
    ("path", "in_service"),
    [
        ("/system.slice/cron.service", True),
        ("/system.slice/udevd.service/udev", True),
        ("/user.slice/user-0.slice/user@0.service/app.slice/app-x.scope", False),
        ("/user.slice/user-0.slice/session-1.scope", False),
        ("/", False),
    ],
)
def test_the_innermost_unit_tells_whether_a_task_is_in_a_service(
    path: str, in_service: bool
) -> None:
    assert parse_membership(f"1:name=systemd:{path}\n0::/\n").in_service is in_service


@pytest.mark.parametrize("text", ["", "\n", "garbage", "x:y:z\n", "1:cpu", "::\n"])
def test_text_without_meaning_says_nothing(text: str) -> None:
    assert parse_membership(text) == CgroupMembership()
