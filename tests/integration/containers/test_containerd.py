"""The real containerd that other tests rely on: it does what a node's does, and leaves nothing."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.containerd.daemon import Containerd
from tests.containerd.fixtures import MakeConversation
from tests.containerd.leftovers import CGROUPS, processes_about, processes_below
from tests.containerd.pods import Pods

pytestmark = [pytest.mark.containerd, pytest.mark.xdist_group("containerd")]


def test_pods_have_containers_in_which_commands_run(pods: Pods) -> None:
    pod = pods.run("shop", namespace="sales", labels={"app": "web"})
    web = pod.start("web", "/bin/sleep", "1000", environment={"COLOUR": "blue"})
    assert web.state == "RUNNING"
    assert web.pids == {web.pid}
    with ThreadPoolExecutor(4) as threads:
        runs = threads.map(lambda _: web.run("/bin/sh", "-c", "echo $COLOUR; exit 3"), range(8))
        assert {(one.exit_code, one.stdout) for one in runs} == {(3, "blue\n")}
    short = pod.start("short", "/bin/echo", "done")
    again = pods.restart(web, "/bin/sleep", "1000")
    assert again.container_id != web.container_id
    assert (again.status.metadata.attempt, again.log_path) == (1, "web/1.log")
    assert short.output == ["done"]
    assert (short.state, short.pid) == ("EXITED", 0)


def test_a_workload_can_be_told_what_to_do(pods: Pods, converse: MakeConversation) -> None:
    pod = pods.run("shop")
    talk = converse()
    pod.start("web", *talk.command(threads=4), mounts=talk.mounts)
    assert talk.answer() == [0]
    assert talk.tell("calls 10") == [40]


def test_containers_share_pid_namespaces_as_their_pod_says(pods: Pods) -> None:
    shared, hosts = pods.run("shared", pid_mode="POD"), pods.run("hosts", pid_mode="NODE")
    seen = [
        {pod.start(name, "/bin/sleep", "1000").run("/bin/readlink", "/proc/1/exe").stdout}
        for pod in (shared, hosts)
        for name in ("one", "two")
    ]
    assert seen[0] == seen[1] == {"/bin/pause\n"}
    assert seen[2] == seen[3]
    assert seen[0] != seen[2]


def test_containers_live_on_when_their_runtime_crashes(containerd: Containerd, pods: Pods) -> None:
    web = pods.run("shop").start("web", "/bin/sleep", "1000")
    pid = web.pid
    containerd.kill()
    containerd.start()
    assert web.pid == pid
    assert web.run("/bin/true").exit_code == 0


def test_a_crashed_one_with_containers_leaves_nothing(tmp_path: Path) -> None:
    containerd = Containerd(tmp_path / "c", cgroup=f"/test-leftovers-{tmp_path.parent.name}")
    containerd.folder.mkdir()
    pods = Pods(endpoint=containerd.endpoint, cgroup=containerd.cgroup, logs=tmp_path / "logs")
    try:
        containerd.install()
        web = pods.run("shop").start("web", "/bin/sh", "-c", "sleep 1000 & sleep 1000")
        assert web.state == "RUNNING"
        sockets = containerd._shim_sockets()
        assert all(one.exists() for one in sockets)
        assert sockets
        containerd.kill()
    finally:
        pods._channel.close()
        containerd.stop()
    assert not list(processes_about(("containerd-shim-runc-v2", "runc"), containerd.folder))
    assert not list(processes_below(containerd.cgroup))
    assert not list(CGROUPS.glob(f"*{containerd.cgroup}"))
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()
    assert not any(one.exists() for one in sockets)
    assert not containerd.folder.exists()
