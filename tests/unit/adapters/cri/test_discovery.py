import asyncio
import os
from pathlib import Path

import pytest
from cri_api.v1 import api_pb2 as cri
from google.protobuf import json_format

from container_tracer.adapters.cri import calls
from container_tracer.adapters.cri import discovery as discovery_module
from container_tracer.adapters.cri.discovery import CriPodDiscovery
from container_tracer.domain.model.pod import Container, Pod
from container_tracer.fakes.cri_server import FakeCriServer, Manners
from container_tracer.ports.errors import DiscoveryFailed, RuntimeUnsuitable

DATA = Path(__file__).parents[3] / "data" / "cri"


def listed(pods: tuple[Pod, ...]) -> list[Container]:
    return [one for pod in pods for one in pod.containers]


@pytest.fixture
def web(server: FakeCriServer) -> FakeCriServer:
    """Have a pod with one container."""
    server.add_pod("s1", "web-0", uid="u1", labels={"app": "web"}, handler="fast")
    server.add_container("c1", "main", sandbox_id="s1", pid=10)
    return server


async def test_what_the_runtime_says_is_all_there(
    web: FakeCriServer, discovery: CriPodDiscovery
) -> None:
    web.image_names["c1"] = "repo/web:1"
    (pod,) = await discovery.discover()
    assert pod == Pod(
        name="web-0",
        namespace="demo",
        uid="u1",
        labels={"app": "web"},
        containers=(
            Container(
                name="main",
                pod="web-0",
                container_id="c1",
                namespace="demo",
                pod_uid="u1",
                image="repo/web:1",
                labels={"app": "web"},
                runtime="fast",
                parents=(10,),
            ),
        ),
        sandboxes=("s1",),
    )


async def test_recorded_lists_of_a_real_kubelet_are_read(
    server: FakeCriServer, discovery: CriPodDiscovery
) -> None:
    containers = json_format.Parse(
        (DATA / "kubelet-ListContainers.json").read_text(), cri.ListContainersResponse()
    )
    pods = json_format.Parse(
        (DATA / "kubelet-ListPodSandbox.json").read_text(), cri.ListPodSandboxResponse()
    )
    server.containers = {one.id: one for one in containers.containers}
    server.sandboxes = {one.id: one for one in pods.items}
    for pid, container_id in enumerate(server.containers, start=100):
        server.say(container_id, pid=pid)
    (pod,) = await discovery.discover()
    assert (pod.namespace, pod.name) == ("default", "web-0")
    assert [(one.name, one.parents) for one in pod.containers] == [
        ("main", (100,)),
        ("side", (101,)),
    ]
    assert {one.labels["app"] for one in pod.containers} == {"web"}
    assert {one.runtime for one in pod.containers} == {"containerd"}


async def test_a_container_is_asked_about_once_and_forgotten_when_it_is_gone(
    web: FakeCriServer, discovery: CriPodDiscovery
) -> None:
    for _ in range(3):
        await discovery.discover()
    assert web.calls["ContainerStatus"] == 1
    for number in range(50):
        web.add_container(f"n{number}", "short", sandbox_id="s1", pid=100 + number)
        assert len(listed(await discovery.discover())) == 2
        web.remove(f"n{number}")
    await discovery.discover()
    assert set(discovery._details) == {"c1"}
    assert set(discovery._sandboxes) == {"s1"}


async def test_of_those_that_are_gone_the_latest_are_remembered(
    web: FakeCriServer, discovery: CriPodDiscovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery_module, "REMEMBERED", 2)
    for number in range(5):
        web.add_container(f"n{number}", "short", sandbox_id="s1", pid=100 + number)
        await discovery.discover()
        web.remove(f"n{number}")
    await discovery.discover()
    assert set(discovery._containers) == {"c1", "n3", "n4"}
    described = await discovery.describe("n4")
    assert described is not None
    assert (described.name, described.pod) == ("short", "web-0")
    assert await discovery.describe("n2") is None


async def test_one_without_a_pid_is_asked_about_until_it_has_one(
    web: FakeCriServer, discovery: CriPodDiscovery
) -> None:
    web.say("c1", pid=0)
    assert listed(await discovery.discover()) == []
    web.say("c1", pid=11)
    assert [one.parents for one in listed(await discovery.discover())] == [(11,)]


async def test_one_whose_status_is_garbage_hides_no_other(
    web: FakeCriServer, discovery: CriPodDiscovery
) -> None:
    web.add_container("c2", "other", sandbox_id="s1", pid=12)
    web.infos["c1"] = {"info": '{"pid": '}
    assert [one.container_id for one in listed(await discovery.discover())] == ["c2"]


async def test_one_that_is_removed_while_it_is_asked_about_is_left_out(
    web: FakeCriServer, discovery: CriPodDiscovery
) -> None:
    web.containers["gone"] = cri.Container(
        id="of another", pod_sandbox_id="s1", state=cri.CONTAINER_RUNNING
    )
    assert [one.container_id for one in listed(await discovery.discover())] == ["c1"]


async def test_a_runtime_that_says_no_pids_is_of_no_use(
    web: FakeCriServer, discovery: CriPodDiscovery
) -> None:
    web.infos.clear()
    with pytest.raises(RuntimeUnsuitable, match="does not say which processes"):
        await discovery.discover()


async def test_one_without_the_cri_is_of_no_use(
    web: FakeCriServer, discovery: CriPodDiscovery
) -> None:
    web.manners["Version"] = Manners.UNIMPLEMENTED
    with pytest.raises(RuntimeUnsuitable, match="plugin is disabled"):
        await discovery.verify()


async def test_one_that_fails_is_quoted_in_one_line(
    web: FakeCriServer, discovery: CriPodDiscovery
) -> None:
    web.manners["ListContainers"] = Manners.FAILS
    with pytest.raises(DiscoveryFailed, match=r"answered INTERNAL: something is broken here\.$"):
        await discovery.discover()


async def test_one_that_hangs_is_not_waited_for(
    web: FakeCriServer, discovery: CriPodDiscovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "DEADLINE_SECONDS", 0.2)
    web.manners["ListPodSandbox"] = Manners.HANGS
    with pytest.raises(DiscoveryFailed, match="did not answer in time"):
        await discovery.discover()


async def test_it_says_what_the_runtime_calls_itself(
    server: FakeCriServer, discovery: CriPodDiscovery
) -> None:
    server.runtime, server.version = "cri-o", "1.31.0"
    assert await discovery.verify() == "cri-o 1.31.0"


async def test_cri_dockerd_does_not_start_what_it_lists(
    server: FakeCriServer, discovery: CriPodDiscovery
) -> None:
    await discovery.verify()
    assert await discovery.runtime_pids() == (os.getpid(),)
    server.runtime = "docker"
    await discovery.verify()
    assert await discovery.runtime_pids() == ()


async def test_a_socket_nobody_listens_on_is_named(socket_folder: Path) -> None:
    discovery = CriPodDiscovery.open(str(socket_folder / "none.sock"))
    why = r"none\.sock cannot be reached: No such file or directory\. .*--cri-endpoint"
    with pytest.raises(DiscoveryFailed, match=why):
        await discovery.verify()
    assert await discovery.runtime_pids() == ()
    await discovery.close()


async def test_after_a_restart_of_the_runtime_it_goes_on(
    web: FakeCriServer, discovery: CriPodDiscovery
) -> None:
    before = await discovery.discover()
    web.stop()
    with pytest.raises(DiscoveryFailed, match="cannot be reached"):
        await discovery.discover()
    web.start()
    async with asyncio.timeout(20):
        while True:
            try:
                after = await discovery.discover()
            except DiscoveryFailed:
                await asyncio.sleep(0.02)
            else:
                break
    assert after == before
    assert web.calls["ContainerStatus"] == 1


class TestDescriptions:
    @pytest.mark.parametrize(
        ("state", "pid"), [(cri.CONTAINER_CREATED, 0), (cri.CONTAINER_EXITED, 0)]
    )
    async def test_one_that_does_not_run_is_described_by_the_key_it_will_have(
        self,
        web: FakeCriServer,
        discovery: CriPodDiscovery,
        state: "cri.ContainerState.ValueType",
        pid: int,
    ) -> None:
        (running,) = listed(await discovery.discover())
        web.containers["c1"].state = state
        web.say("c1", pid=pid)
        described = await discovery.describe("c1")
        assert described is not None
        assert described.key == running.key
        assert described.labels == running.labels

    async def test_it_needs_no_listing_before(
        self, web: FakeCriServer, discovery: CriPodDiscovery
    ) -> None:
        described = await discovery.describe("c1")
        assert described is not None
        assert described.key == ("demo", "web-0", "main", "c1")
        assert web.calls["ListPodSandbox"] == 1

    async def test_one_that_was_removed_since_it_was_listed_is_still_known(
        self, web: FakeCriServer, discovery: CriPodDiscovery
    ) -> None:
        await discovery.discover()
        web.remove("c1")
        described = await discovery.describe("c1")
        assert described is not None
        assert (described.key, described.parents) == (("demo", "web-0", "main", "c1"), (10,))

    async def test_a_sandbox_is_none_and_neither_is_what_has_none(
        self, web: FakeCriServer, discovery: CriPodDiscovery
    ) -> None:
        web.add_container("lost", "lost", sandbox_id="none", pid=3)
        assert await discovery.describe("s1") is None
        assert await discovery.describe("lost") is None
        assert await discovery.describe("unheard of") is None
