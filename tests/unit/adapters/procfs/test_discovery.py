import asyncio
import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from container_tracer.adapters.procfs import files, processes
from container_tracer.adapters.procfs.discovery import ProcfsPodDiscovery
from container_tracer.adapters.procfs.tasks import ProcfsTaskDirectory
from container_tracer.domain.model.pod import Container, Pod
from container_tracer.fakes.procfs import FakeProcfs
from container_tracer.ports.errors import DiscoveryFailed

DATA = Path(__file__).parents[3] / "data" / "procfs"
ID = "ce2e297cb65ecf047479cce3ff57ff768b95df92983ba69a74673bacc240b3e5"
SANDBOX_ID = "dc6acfa7c1b5ccea483ddf082f9d7c3469dd658ab42968ddcbad98d2523aa2e1"
UID = "8264f79f-4376-4171-994e-9e1dcbefb607"
DOCKER = f"0::/docker/{ID}\n"


@pytest.fixture
def procfs(tmp_path: Path) -> FakeProcfs:
    return FakeProcfs(tmp_path / "proc")


@pytest.fixture
def discovery(procfs: FakeProcfs, tmp_path: Path) -> ProcfsPodDiscovery:
    return ProcfsPodDiscovery(
        procfs=procfs.root, sysfs=tmp_path / "sys", run_paths=(tmp_path / "run",)
    )


@pytest.fixture
def directory(procfs: FakeProcfs, tmp_path: Path) -> ProcfsTaskDirectory:
    return ProcfsTaskDirectory(procfs=procfs.root, sysfs=tmp_path / "sys")


def host_file(procfs: FakeProcfs, path: str, content: str = "") -> None:
    file = procfs.root / "1" / "root" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)


def bundle(tmp_path: Path, place: str, document: str) -> None:
    file = tmp_path / "run" / place / "config.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(document)


def only(pods: tuple[Pod, ...]) -> Container:
    ((container,),) = (pod.containers for pod in pods)
    return container


def names(pods: tuple[Pod, ...]) -> list[tuple[str, str, list[str]]]:
    return [(pod.namespace, pod.name, [c.name for c in pod.containers]) for pod in pods]


async def test_a_machine_without_containers_has_no_pods(discovery: ProcfsPodDiscovery) -> None:
    assert await discovery.discover() == ()


async def test_a_recorded_pod_is_found_with_all_threads_of_all_processes(
    procfs: FakeProcfs, discovery: ProcfsPodDiscovery
) -> None:
    cgroup = (DATA / "hybrid-container.cgroup").read_text()
    sandbox = (DATA / "hybrid-sandbox.cgroup").read_text()
    own = {"pid": 70, "mnt": 71}
    procfs.add(800, command="containerd-shim")
    procfs.add(829, parent=800, command="pause", cgroup=sandbox, namespaces={"pid": 60})
    procfs.add(875, parent=800, tids=(880, 881), cgroup=cgroup, namespaces=own)
    procfs.add(896, parent=875, cgroup=cgroup, namespaces=own)
    procfs.add(915, parent=800, tids=(916,), cgroup=cgroup, namespaces=own)

    (pod,) = await discovery.discover()
    (container,) = pod.containers

    assert pod.uid == container.pod_uid == UID
    assert container.container_id == ID
    assert container.tasks == (875, 880, 881, 896, 915, 916)
    assert container.parents == (875, 915)
    assert container.pid_namespace == 70
    assert container.cgroups == dict.fromkeys(range(10), f"/kubepods/besteffort/pod{UID}/{ID}")


async def test_a_nested_pid_namespace_without_own_cgroup_stays_in_its_container(
    procfs: FakeProcfs, discovery: ProcfsPodDiscovery
) -> None:
    procfs.add(10, cgroup=DOCKER, namespaces={"pid": 70})
    procfs.add(11, parent=10, cgroup=DOCKER, namespaces={"pid": 71})

    container = only(await discovery.discover())

    assert (container.tasks, container.pid_namespace) == ((10, 11), 70)


async def test_kernel_threads_and_the_dead_are_in_no_container(
    procfs: FakeProcfs, discovery: ProcfsPodDiscovery
) -> None:
    procfs.add(10, cgroup=DOCKER, flags=0x208040)
    procfs.add(11, cgroup=DOCKER, state="Z")
    procfs.add(12, namespaces={"mnt": 9, "net": 9}, flags=0x208040)

    assert await discovery.discover() == ()


async def test_threads_that_outlive_the_first_are_found(
    procfs: FakeProcfs, discovery: ProcfsPodDiscovery
) -> None:
    procfs.add(10, tids=(11,), cgroup=DOCKER, state="Z")

    assert only(await discovery.discover()).tasks == (10, 11)


async def test_namespaces_of_pid_1_that_may_not_be_read_are_told_by_kernel_threads(
    procfs: FakeProcfs, discovery: ProcfsPodDiscovery
) -> None:
    shutil.rmtree(procfs.root / "1" / "task" / "1" / "ns")
    procfs.add(2, parent=0, flags=0x208040)
    procfs.add(10, command="sleep", namespaces={"pid": 70})

    assert names(await discovery.discover()) == [("", "sleep-70", ["sleep"])]


async def test_where_nothing_tells_the_hosts_namespaces_nothing_is_taken_for_a_container(
    procfs: FakeProcfs, discovery: ProcfsPodDiscovery
) -> None:
    shutil.rmtree(procfs.root / "1" / "task" / "1" / "ns")
    procfs.add(2, namespaces={"pid": 70})

    assert await discovery.discover() == ()


async def test_containerd_bundles_name_pods_and_tell_sandboxes(
    procfs: FakeProcfs, discovery: ProcfsPodDiscovery, tmp_path: Path
) -> None:
    recorded = (DATA / "containerd-bundle.json").read_text()
    tasks = "k3s/containerd/io.containerd.runtime.v2.task/k8s.io"
    bundle(tmp_path, f"{tasks}/{ID}", recorded)
    bundle(tmp_path, f"{tasks}/{SANDBOX_ID}", recorded.replace('"container"', '"sandbox"'))
    procfs.add(29, command="renamed", cgroup=(DATA / "hybrid-sandbox.cgroup").read_text())
    procfs.add(75, cgroup=(DATA / "hybrid-container.cgroup").read_text())

    assert names(await discovery.discover()) == [("demo", "web-0", ["main"])]


async def test_bundles_of_cri_o_name_pods(
    procfs: FakeProcfs, discovery: ProcfsPodDiscovery, tmp_path: Path
) -> None:
    said = {"container.name": "main", "pod.name": "web-0", "pod.namespace": "demo"}
    notes = {f"io.kubernetes.{key}": value for key, value in said.items()}
    bundle(
        tmp_path,
        f"containers/storage/overlay-containers/{ID}/userdata",
        json.dumps({"annotations": notes}),
    )
    procfs.add(75, cgroup=f"0::/kubepods.slice/kubepods-pod{UID}.slice/crio-{ID}.scope\n")

    assert names(await discovery.discover()) == [("demo", "web-0", ["main"])]


async def test_kubelet_logs_of_the_host_name_pods(
    procfs: FakeProcfs, discovery: ProcfsPodDiscovery
) -> None:
    host_file(procfs, f"var/log/containers/web-0_demo_main-{ID}.log")
    procfs.add(75, cgroup=(DATA / "hybrid-container.cgroup").read_text())

    assert names(await discovery.discover()) == [("demo", "web-0", ["main"])]


async def test_docker_containers_are_pods_of_their_own_name(
    procfs: FakeProcfs, discovery: ProcfsPodDiscovery
) -> None:
    config = {"Name": "/web", "Config": {"Image": "nginx", "Labels": {"app": "web"}}}
    host_file(procfs, f"var/lib/docker/containers/{ID}/config.v2.json", json.dumps(config))
    procfs.add(75, cgroup=DOCKER)

    container = only(await discovery.discover())

    assert (container.pod, container.name, container.namespace) == ("web", "web", "")
    assert (container.image, container.labels) == ("nginx", {"app": "web"})
    assert container.runtime == "docker"


async def test_a_host_name_is_read_from_environment_or_file_but_never_the_hosts_own(
    procfs: FakeProcfs, discovery: ProcfsPodDiscovery
) -> None:
    host_file(procfs, "etc/hostname", "node-1\n")
    own = {"pid": 70, "uts": 70}
    procfs.add(10, command="a", namespaces=own, environment={"HOSTNAME": "box"})
    from_file = procfs.add(20, command="b", namespaces={"pid": 71, "uts": 71})
    (from_file / "root" / "etc").mkdir(parents=True)
    (from_file / "root" / "etc" / "hostname").write_text("crate\n")
    hosts = {"HOSTNAME": "node-1"}
    procfs.add(30, command="c", namespaces={"pid": 72, "uts": 72}, environment=hosts)
    procfs.add(40, command="d", namespaces={"pid": 73}, environment={"HOSTNAME": "x"})

    pods = await discovery.discover()

    assert [pod.name for pod in pods] == ["box", "crate", "c-72", "d-73"]


async def test_a_file_system_of_the_containers_own_making_is_not_touched(
    procfs: FakeProcfs, discovery: ProcfsPodDiscovery
) -> None:
    folder = procfs.add(20, command="b", namespaces={"pid": 71, "uts": 71})
    (folder / "root" / "etc").mkdir(parents=True)
    (folder / "root" / "etc" / "hostname").write_text("crate\n")
    (folder / "mountinfo").write_text("1 2 0:3 / /etc rw - fuse.slow slow rw\n")

    assert [pod.name for pod in await discovery.discover()] == ["b-71"]


async def test_names_are_remembered_while_a_container_runs(
    procfs: FakeProcfs, discovery: ProcfsPodDiscovery
) -> None:
    link = f"var/log/containers/web-0_demo_main-{ID}.log"
    cgroup = (DATA / "hybrid-container.cgroup").read_text()
    procfs.add(75, cgroup=cgroup)
    unnamed = names(await discovery.discover())
    host_file(procfs, link)
    named = names(await discovery.discover())
    (procfs.root / "1" / "root" / link).unlink()
    remembered = names(await discovery.discover())
    shutil.rmtree(procfs.root / "75")
    await discovery.discover()
    procfs.add(76, cgroup=cgroup)

    assert named == remembered == [("demo", "web-0", ["main"])]
    assert names(await discovery.discover()) == unnamed


async def test_a_kata_sandbox_is_isolated_wherever_its_vmm_runs(
    procfs: FakeProcfs, discovery: ProcfsPodDiscovery, directory: ProcfsTaskDirectory
) -> None:
    words = ["/opt/kata/bin/qemu-system-x86_64", "-name", f"sandbox-{ID},debug-threads=on"]
    procfs.add(10, command="qemu-system-x86", command_line=words, tids=(11,))

    container = only(await discovery.discover())

    assert (container.isolated, container.runtime) == (True, "kata")
    assert (container.container_id, container.tasks) == (ID, (10, 11))
    assert [task.tid for task in await directory.tasks_of(container)] == [10, 11]


@pytest.mark.parametrize("what", ["missing", "file", "empty"])
async def test_a_procfs_that_is_none_is_said_so(tmp_path: Path, what: str) -> None:
    place = tmp_path / "proc"
    if what == "file":
        place.touch()
    if what == "empty":
        place.mkdir()
    discovery = ProcfsPodDiscovery(procfs=place)

    with pytest.raises(DiscoveryFailed, match="--procfs-path"):
        await discovery.discover()


async def test_a_container_without_cgroups_of_its_own_is_followed_by_scanning(
    procfs: FakeProcfs, discovery: ProcfsPodDiscovery, directory: ProcfsTaskDirectory
) -> None:
    procfs.add(10, command="sleep", namespaces={"pid": 70}, tids=(12,))
    container = only(await discovery.discover())
    procfs.add(11, command=") x (", namespaces={"pid": 70})

    tasks = await directory.tasks_of(container)

    assert [(t.tid, t.pid, t.command, t.start_time) for t in tasks] == [
        (10, 10, "sleep", 10),
        (11, 11, ") x (", 11),
        (12, 10, "sleep", 12),
    ]


async def test_tasks_of_many_containers_are_found_in_one_scan(
    procfs: FakeProcfs,
    discovery: ProcfsPodDiscovery,
    directory: ProcfsTaskDirectory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for pid in range(10, 20):
        procfs.add(pid, command="sleep", namespaces={"pid": pid})
    containers = [one for pod in await discovery.discover() for one in pod.containers]
    scans: list[str] = []

    def counting(folder: str) -> list[str]:
        if folder == str(procfs.root):
            scans.append(folder)
        return files.names_in(folder)

    monkeypatch.setattr(processes, "names_in", counting)
    found = await asyncio.gather(*map(directory.tasks_of, containers))

    assert [tuple(task.tid for task in tasks) for tasks in found] == [
        container.tasks for container in containers
    ]
    assert (len(found), len(scans)) == (10, 1)


def readers() -> list[tuple[object, str]]:
    reading = ["read_record", "read_whole", "names_in", "link_target"]
    return [(processes, name) for name in reading]


@pytest.mark.parametrize("step", range(120))
async def test_a_process_may_vanish_at_any_step_of_a_scan(
    procfs: FakeProcfs,
    discovery: ProcfsPodDiscovery,
    directory: ProcfsTaskDirectory,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
) -> None:
    """One victim of each kind goes at the given read; those who stay are all found."""
    others = f"0::/docker/{SANDBOX_ID}\n"
    procfs.add(10, cgroup=DOCKER, tids=(14,))
    victims = [
        procfs.add(11, cgroup=DOCKER, tids=(15,)),
        procfs.add(12, namespaces={"pid": 70, "uts": 70}),
        procfs.add(13, command="firecracker"),
        procfs.add(16, cgroup=others, tids=(17,), state="Z"),
    ]
    reads = 0

    def vanishing(read: Callable[[str], object]) -> Callable[[str], object]:
        def reading(path: str) -> object:
            nonlocal reads
            if reads == step:
                for victim in victims:
                    shutil.rmtree(victim)
            reads += 1
            return read(path)

        return reading

    for module, name in readers():
        monkeypatch.setattr(module, name, vanishing(getattr(files, name)))
    pods = await discovery.discover()
    ours = next(c for pod in pods for c in pod.containers if c.container_id == ID)
    tasks = await directory.tasks_of(ours)

    assert {10, 14} <= set(ours.tasks) <= {10, 11, 14, 15}
    assert {10, 14} <= {task.tid for task in tasks}


async def test_running_out_of_descriptors_is_a_failure_not_a_short_list(
    procfs: FakeProcfs, discovery: ProcfsPodDiscovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    procfs.add(10, cgroup=DOCKER)

    def exhausted(_: str) -> bytes:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(processes, "read_record", exhausted)

    with pytest.raises(DiscoveryFailed, match="Too many open files"):
        await discovery.discover()
