import pytest

from container_tracer.domain.model.cgroup import parse_membership
from container_tracer.domain.model.container_names import ContainerNames
from container_tracer.domain.model.pod import Pod
from container_tracer.domain.model.pod_naming import FoundContainer, group_key_of, pods_of
from container_tracer.domain.model.process import (
    Namespaces,
    Process,
    TaskStat,
    group_processes,
)

HOST = Namespaces(pid=1, mnt=2, uts=3, net=4, ipc=5)
UID = "8264f79f-4376-4171-994e-9e1dcbefb607"


def identity(number: int) -> str:
    return f"{number:012x}" + "0" * 52


def found(
    number: int,
    *,
    cgroup: str = "",
    command: str = "worker",
    names: ContainerNames | None = None,
    host_name: str = "",
    vm: str = "",
    count: int = 1,
) -> FoundContainer:
    own = HOST if cgroup else Namespaces(pid=number)
    processes = [
        Process(
            stat=TaskStat(pid, command, 1, 1, number, alive=True, kernel_thread=False),
            membership=parse_membership(f"0::{cgroup}"),
            namespaces=own,
            vm_sandbox=vm,
        )
        for pid in range(number, number + count)
    ]
    (group,) = group_processes(processes, HOST)
    return FoundContainer(
        group=group, names=names or ContainerNames(), tasks=(number,), host_name=host_name
    )


def in_pod(number: int, uid: str = UID) -> str:
    return f"/kubepods/pod{uid}/{identity(number)}"


def named(pods: tuple[Pod, ...]) -> dict[tuple[str, str], list[str]]:
    return {(pod.namespace, pod.name): [c.name for c in pod.containers] for pod in pods}


def test_names_of_documents_are_used_and_hold_for_the_whole_pod() -> None:
    names = ContainerNames(container="main", pod="web-0", namespace="demo", image="busybox")
    pods = pods_of([found(1, cgroup=in_pod(1), names=names), found(2, cgroup=in_pod(2))])

    (pod,) = pods
    assert named(pods) == {("demo", "web-0"): ["main", identity(2)[:12]]}
    assert (pod.uid, pod.containers[0].image) == (UID, "busybox")
    assert {c.pod for c in pod.containers} == {"web-0"}
    assert {c.namespace for c in pod.containers} == {"demo"}


@pytest.mark.parametrize(
    ("one", "pod", "container"),
    [
        (found(1, cgroup=in_pod(1), host_name="web-0"), "web-0", identity(1)[:12]),
        (found(1, cgroup=in_pod(1)), UID[:12], identity(1)[:12]),
        (found(1, cgroup=f"/docker/{identity(1)}"), identity(1)[:12], identity(1)[:12]),
        (found(1, cgroup=f"/docker/{identity(1)}", host_name="h"), "h", identity(1)[:12]),
        (
            found(1, cgroup=f"/docker/{identity(1)}", names=ContainerNames(container="web")),
            "web",
            "web",
        ),
        (found(1, cgroup="/lxc/box"), "box", "box"),
        (found(77, command="sleep"), "sleep-77", "sleep"),
        (found(77, command="sleep", host_name="mine"), "mine", "sleep"),
        (found(77, command="kw/0\n"), "kw-0?-77", "kw-0?"),
        (found(1, vm=identity(1)), identity(1)[:12], identity(1)[:12]),
    ],
)
def test_without_documents_the_best_known_name_is_used(
    one: FoundContainer, pod: str, container: str
) -> None:
    assert named(pods_of([one])) == {("", pod): [container]}


def test_equal_pod_names_stay_apart_and_the_oldest_keeps_its_name() -> None:
    same = ContainerNames(pod="web-0", namespace="demo")
    other = ContainerNames(pod="web-0", namespace="shop")
    uids = ["1" * 32, "2" * 32, "3" * 32]
    pods = pods_of(
        found(n, cgroup=in_pod(n, uids[n - 1]), names=names)
        for n, names in ((1, same), (2, same), (3, other))
    )

    assert list(named(pods)) == [
        ("demo", "web-0"),
        ("demo", f"web-0-{'2' * 12}"),
        ("shop", "web-0"),
    ]


def test_equal_container_names_of_a_pod_stay_apart() -> None:
    names = ContainerNames(container="main", pod="web-0")
    pods = pods_of(found(n, cgroup=in_pod(n), names=names) for n in (1, 2))

    assert named(pods) == {("", "web-0"): ["main", f"main-{identity(2)[:12]}"]}


def test_equal_host_names_of_plain_groups_get_the_namespace_number() -> None:
    pods = pods_of(found(n, host_name="box") for n in (71, 72))

    assert list(named(pods)) == [("", "box"), ("", "box-72")]


def test_a_container_that_annotations_call_a_sandbox_is_not_listed() -> None:
    sandbox = ContainerNames(pod="web-0", namespace="demo", kind="sandbox")
    pods = pods_of(
        [found(1, cgroup=in_pod(1), names=sandbox), found(2, cgroup=in_pod(2), command="pause")]
    )

    assert named(pods) == {("demo", "web-0"): [identity(2)[:12]]}


def test_a_pod_of_which_only_the_sandbox_is_left_is_not_listed() -> None:
    alone = found(1, cgroup=in_pod(1), names=ContainerNames(kind="sandbox"))

    assert pods_of([alone]) == ()


def test_the_oldest_pause_beside_another_container_is_a_sandbox() -> None:
    pods = pods_of(found(n, cgroup=in_pod(n), command="pause") for n in (1, 2))

    assert named(pods) == {("", UID[:12]): [identity(2)[:12]]}


@pytest.mark.parametrize(
    "members",
    [
        [found(1, cgroup=in_pod(1), command="pause")],
        [found(1, cgroup=f"/docker/{identity(1)}", command="pause")],
        [found(1, cgroup=in_pod(1), command="pause", count=2), found(9, cgroup=in_pod(9))],
        [
            found(1, cgroup=in_pod(1), command="pause", names=ContainerNames(kind="container")),
            found(9, cgroup=in_pod(9)),
        ],
    ],
)
def test_another_container_called_pause_is_listed(members: list[FoundContainer]) -> None:
    listed = [c.container_id for pod in pods_of(members) for c in pod.containers]

    assert listed == [one.group.container_id for one in members]


def test_the_virtual_machine_of_a_pod_is_listed_and_said_to_be_isolated() -> None:
    names = ContainerNames(pod="web-0", kind="sandbox", pod_uid=UID)
    (pod,) = pods_of([found(1, vm=identity(1), names=names)])

    assert (pod.name, pod.uid) == ("web-0", UID)
    assert [(c.isolated, c.runtime) for c in pod.containers] == [(True, "kata")]


@pytest.mark.parametrize(
    "one",
    [
        found(1, cgroup=in_pod(1) + "/sub"),
        found(1, cgroup="/lxc/box/ns"),
        found(7),
        found(1, vm="s"),
    ],
)
def test_a_container_leads_back_to_its_group(one: FoundContainer) -> None:
    (pod,) = pods_of([one])

    assert [group_key_of(c) for c in pod.containers] == [one.group.key]
