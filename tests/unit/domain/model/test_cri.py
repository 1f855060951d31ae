import json
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from container_tracer.domain.model.cri import (
    CriContainer,
    CriDetails,
    CriSandbox,
    CriState,
    cri_container,
    cri_pods,
    read_details,
)
from container_tracer.domain.model.kata import has_kata_notes, is_kata_handler, is_kata_type
from container_tracer.domain.model.pod import Container, Pod

DATA = Path(__file__).parents[3] / "data" / "cri"
RUNC = "io.containerd.runc.v2"


def info(**said: object) -> dict[str, str]:
    return {"info": json.dumps(said)}


def sandbox(sandbox_id: str = "s1", **changes: Any) -> CriSandbox:
    made = CriSandbox(sandbox_id=sandbox_id, name="web-0", namespace="demo", uid="u1")
    return evolve(made, **changes)


def container(container_id: str = "c1", **changes: Any) -> CriContainer:
    made = CriContainer(container_id=container_id, sandbox_id="s1", name=f"name of {container_id}")
    return evolve(made, **changes)


def running(*pods: Pod) -> list[Container]:
    return [one for pod in pods for one in pod.containers]


class TestDetails:
    @pytest.mark.parametrize(
        ("recorded", "pid", "notes"),
        [
            ("containerd-1.6", 16875, False),
            ("containerd-1.7", 856, False),
            ("kubelet", 16720, False),
        ],
    )
    def test_recorded_answers_of_containerd_are_read(
        self, recorded: str, pid: int, notes: bool
    ) -> None:
        document = (DATA / f"{recorded}-ContainerStatus.info.json").read_text()
        assert read_details({"info": document}, image="localhost/busybox:test") == CriDetails(
            pid=pid, image="localhost/busybox:test", runtime_type=RUNC, kata_notes=notes
        )

    def test_cri_o_names_the_handler_in_annotations(self) -> None:
        annotations = {
            "io.kubernetes.cri-o.RuntimeHandler": "kata",
            "io.katacontainers.pkg.oci.container_type": "pod_container",
        }
        said = info(
            sandboxID="s", pid=7, runtimeSpec={"annotations": annotations}, privileged=False
        )
        assert read_details(said) == CriDetails(pid=7, handler="kata", kata_notes=True)

    def test_cri_dockerd_says_only_the_pid(self) -> None:
        assert read_details(info(sandboxID="s", pid=9)) == CriDetails(pid=9)

    @pytest.mark.parametrize("pid", [0, -1, "12", 1.5, True, None, [], {}])
    def test_what_can_be_no_pid_is_none(self, pid: object) -> None:
        assert read_details(info(pid=pid)).pid == 0

    @pytest.mark.parametrize(
        "said",
        [
            {},
            {"info": ""},
            {"info": "{"},
            {"info": "[1]"},
            {"info": "[" * 100_000},
            {"other": '{"pid": 1}'},
            info(runtimeSpec=[], runtimeType=3),
            info(runtimeSpec={"annotations": [1]}),
            info(runtimeSpec={"annotations": {"io.kubernetes.cri-o.RuntimeHandler": 1}}),
        ],
    )
    def test_what_cannot_be_read_says_nothing(self, said: dict[str, str]) -> None:
        assert read_details(said) == CriDetails(pid=None)


class TestPods:
    def test_a_pod_has_its_running_containers_with_all_that_is_known(self) -> None:
        (pod,) = cri_pods(
            [sandbox(handler="fast", labels={"app": "web"})],
            [container(image="sha256:1", labels={"io.kubernetes.container.name": "main"})],
            {"c1": CriDetails(pid=10, image="repo/web:1", runtime_type=RUNC)},
            runtime="containerd",
        )
        (found,) = pod.containers
        assert (pod.namespace, pod.name, pod.uid) == ("demo", "web-0", "u1")
        assert found == Container(
            name="name of c1",
            pod="web-0",
            container_id="c1",
            namespace="demo",
            pod_uid="u1",
            image="repo/web:1",
            labels={"app": "web", "io.kubernetes.container.name": "main"},
            runtime="fast",
            parents=(10,),
        )

    def test_the_label_of_a_pod_beats_that_of_its_container(self) -> None:
        found = cri_container(
            container(labels={"app": "image", "tier": "1"}),
            sandbox(labels={"app": "web"}),
            CriDetails(pid=1),
        )
        assert found.labels == {"app": "web", "tier": "1"}

    def test_the_default_handler_is_called_by_the_runtime(self) -> None:
        assert (
            cri_container(container(), sandbox(), CriDetails(), runtime="cri-o").runtime == "cri-o"
        )

    def test_an_image_without_a_name_is_called_by_its_digest(self) -> None:
        assert (
            cri_container(container(image="sha256:1"), sandbox(), CriDetails()).image == "sha256:1"
        )

    @pytest.mark.parametrize("pid", [0, None])
    def test_pid_0_is_the_idle_task_and_no_container(self, pid: int | None) -> None:
        (pod,) = cri_pods([sandbox()], [container()], {"c1": CriDetails(pid=pid)})
        assert pod.containers == ()

    def test_a_container_of_which_nothing_is_known_is_left_out(self) -> None:
        assert running(*cri_pods([sandbox()], [container()], {})) == []

    @pytest.mark.parametrize("state", [CriState.CREATED, CriState.EXITED, CriState.UNKNOWN])
    def test_only_what_runs_is_listed(self, state: CriState) -> None:
        found = cri_pods([sandbox()], [container(state=state)], {"c1": CriDetails(pid=4)})
        assert running(*found) == []

    def test_a_pod_is_there_before_its_containers_and_gone_with_its_sandbox(self) -> None:
        (pod,) = cri_pods([sandbox()], [], {})
        assert pod == Pod(
            name="web-0",
            namespace="demo",
            uid="u1",
            labels=sandbox().labels,
            sandboxes=(sandbox().sandbox_id,),
        )
        assert cri_pods([sandbox(ready=False)], [], {}) == ()

    def test_a_container_that_outlives_its_sandbox_is_listed(self) -> None:
        found = cri_pods([sandbox(ready=False)], [container()], {"c1": CriDetails(pid=4)})
        assert [one.container_id for one in running(*found)] == ["c1"]

    def test_a_container_whose_sandbox_is_gone_is_not(self) -> None:
        found = cri_pods([], [container()], {"c1": CriDetails(pid=4)})
        assert found == ()

    def test_a_pod_with_a_new_sandbox_is_one_pod(self) -> None:
        found = cri_pods(
            [sandbox("s1", ready=False), sandbox("s2", created_ns=2)],
            [container("c1", sandbox_id="s1"), container("c2", sandbox_id="s2", created_ns=2)],
            {"c1": CriDetails(pid=4), "c2": CriDetails(pid=5)},
        )
        assert len(found) == 1
        assert [one.container_id for one in found[0].containers] == ["c1", "c2"]
        assert found[0].sandboxes == ("s1", "s2")

    def test_equal_names_in_two_namespaces_are_two_pods(self) -> None:
        found = cri_pods(
            [sandbox("s1"), sandbox("s2", namespace="other", uid="u2", created_ns=1)],
            [container("c1", name="main"), container("c2", name="main", sandbox_id="s2")],
            {"c1": CriDetails(pid=4), "c2": CriDetails(pid=5)},
        )
        assert [(one.key, one.parents) for one in running(*found)] == [
            (("demo", "web-0", "main", "c1"), (4,)),
            (("other", "web-0", "main", "c2"), (5,)),
        ]

    def test_pods_and_containers_are_listed_oldest_first(self) -> None:
        found = cri_pods(
            [sandbox("s2", name="b", uid="b", created_ns=2), sandbox("s1", created_ns=1)],
            [container("c2", created_ns=9), container("c1", created_ns=8)],
            {"c1": CriDetails(pid=4), "c2": CriDetails(pid=5)},
        )
        assert [one.name for one in found] == ["web-0", "b"]
        assert [one.container_id for one in found[0].containers] == ["c1", "c2"]


class TestVirtualMachines:
    @pytest.mark.parametrize(
        ("handler", "details", "annotations", "isolated"),
        [
            ("kata", CriDetails(), {}, True),
            ("kata-qemu-runtime-rs", CriDetails(), {}, True),
            ("secure", CriDetails(runtime_type="io.containerd.kata-clh.v2"), {}, True),
            ("", CriDetails(runtime_type="io.containerd.kata.v2"), {}, True),
            ("", CriDetails(handler="kata"), {}, True),
            ("", CriDetails(kata_notes=True), {}, True),
            ("secure", CriDetails(), {"io.katacontainers.config.x": "1"}, True),
            # Whoever writes pods may write such annotations: what the runtime says is stronger.
            ("", CriDetails(runtime_type=RUNC), {"io.katacontainers.config.x": "1"}, False),
            ("crun", CriDetails(), {"io.katacontainers.config.x": "1"}, False),
            ("", CriDetails(), {}, False),
            ("katana", CriDetails(runtime_type="io.containerd.katana.v2"), {}, False),
        ],
    )
    def test_they_are_known_by_what_the_runtime_says(
        self, handler: str, details: CriDetails, annotations: dict[str, str], isolated: bool
    ) -> None:
        found = cri_container(
            container(), sandbox(handler=handler, annotations=annotations), details
        )
        assert found.isolated is isolated

    def test_containers_of_one_pod_with_one_pid_are_in_one(self) -> None:
        found = cri_pods(
            [sandbox("s1"), sandbox("s2", name="b", uid="b")],
            [container("c1"), container("c2"), container("c3", sandbox_id="s2")],
            {"c1": CriDetails(pid=4), "c2": CriDetails(pid=4), "c3": CriDetails(pid=4)},
        )
        assert {one.container_id: one.isolated for one in running(*found)} == {
            "c1": True,
            "c2": True,
            "c3": False,
        }

    def test_the_signs_are_kept_apart_from_names_that_look_alike(self) -> None:
        assert is_kata_handler("kata-fc")
        assert not is_kata_handler("katana")
        assert is_kata_type("io.containerd.kata-qemu.v2")
        assert not is_kata_type("io.containerd.runc.v2")
        assert has_kata_notes({"io.katacontainers.pkg.oci.bundle_path": "/x"})
        assert not has_kata_notes({"katacontainers.io/x": "1"})
