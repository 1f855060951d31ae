"""Discovery through the CRI of a real containerd."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from container_tracer.adapters.cri.discovery import CriPodDiscovery
from container_tracer.adapters.procfs.tasks import ProcfsTaskDirectory
from container_tracer.domain.model.pod import Container, Pod
from container_tracer.ports.errors import DiscoveryFailed
from tests.containerd.daemon import Containerd
from tests.containerd.pods import Pods

pytestmark = [pytest.mark.containerd, pytest.mark.xdist_group("containerd")]

SEEN_SECONDS = 0.2


@pytest.fixture
async def discovery(containerd: Containerd) -> AsyncIterator[CriPodDiscovery]:
    made = CriPodDiscovery.open(str(containerd.socket))
    yield made
    await made.close()


def running(pods: tuple[Pod, ...]) -> dict[str, Container]:
    return {one.container_id: one for pod in pods for one in pod.containers}


async def test_all_that_is_known_of_a_container_is_told(
    pods: Pods, discovery: CriPodDiscovery
) -> None:
    pod = pods.run("shop", namespace="sales", labels={"app": "web"})
    web = pod.start("web", "/bin/sleep", "1000")
    assert (await discovery.verify()).startswith("containerd ")
    found = running(await discovery.discover())[web.container_id]
    assert found.key == ("sales", "shop", "web", web.container_id)
    assert (found.pod_uid, found.runtime, found.isolated) == (pod.uid, "containerd", False)
    assert found.image.startswith("localhost/busybox")
    assert found.labels["app"] == "web"
    assert found.labels["io.kubernetes.container.name"] == "web"
    (located,) = await ProcfsTaskDirectory().locate([found])
    assert located.tasks == (web.pid,)
    assert {path.rpartition("/")[2] for path in located.cgroups.values()} == {web.container_id}


async def test_a_pod_of_a_runtime_for_virtual_machines_is_told_as_such(
    pods: Pods, discovery: CriPodDiscovery
) -> None:
    web = pods.run("shop", handler="kata-runc").start("web", "/bin/sleep", "1000")
    found = running(await discovery.discover())[web.container_id]
    assert (found.isolated, found.runtime) == (True, "kata-runc")
    described = await discovery.describe(web.container_id)
    assert described is not None
    assert described.isolated


async def test_one_is_described_before_it_runs_and_after(
    pods: Pods, discovery: CriPodDiscovery
) -> None:
    pod = pods.run("shop")
    web = pod.create("web", "/bin/true")
    created = await discovery.describe(web.container_id)
    assert created is not None
    assert created.key == ("default", "shop", "web", web.container_id)
    assert created.parents == ()
    assert await discovery.describe(pod.sandbox_id) is None
    web.start()
    while web.state != "EXITED":  # noqa: ASYNC110 - the runtime makes it so
        await asyncio.sleep(0.01)
    assert await discovery.describe(web.container_id) == created
    assert web.container_id not in running(await discovery.discover())


async def test_starts_and_stops_are_told_in_time(pods: Pods, discovery: CriPodDiscovery) -> None:
    pod = pods.run("shop")
    seen: dict[str, Container] = {}
    looked = asyncio.Event()

    async def follow() -> None:
        async for _ in discovery.changes():
            seen.clear()
            seen.update(running(await discovery.discover()))
            looked.set()

    async def seconds_until(condition: Callable[[], bool]) -> float:
        begun = time.monotonic()
        async with asyncio.timeout(20):
            while not condition():
                looked.clear()
                await looked.wait()
        return time.monotonic() - begun

    following = asyncio.create_task(follow())
    await asyncio.wait_for(looked.wait(), 20)
    await asyncio.sleep(1.1)  # the echoes of the beginning are over: what comes now is an event
    try:
        web = await asyncio.to_thread(pod.start, "web", "/bin/sleep", "1000")
        assert await seconds_until(lambda: web.container_id in seen) < SEEN_SECONDS
        await asyncio.to_thread(web.stop)
        assert await seconds_until(lambda: web.container_id not in seen) < SEEN_SECONDS
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_a_restart_of_the_runtime_changes_nothing(
    containerd: Containerd, pods: Pods, discovery: CriPodDiscovery
) -> None:
    web = pods.run("shop").start("web", "/bin/sleep", "1000")
    before = running(await discovery.discover())
    assert web.container_id in before
    containerd.kill()
    with pytest.raises(DiscoveryFailed, match="cannot be reached"):
        await discovery.discover()
    await asyncio.to_thread(containerd.start)
    async with asyncio.timeout(20):
        while True:
            try:
                after = running(await discovery.discover())
            except DiscoveryFailed:
                await asyncio.sleep(0.02)
            else:
                break
    assert after == before
    assert await discovery.runtime_pids() == (containerd.pid,)


async def test_a_socket_is_reached_through_the_root_of_another_process(
    containerd: Containerd,
) -> None:
    """As in a container that has the host's procfs, whose own /run is another."""
    discovery = CriPodDiscovery.open(f"/proc/{containerd.pid}/root{containerd.socket}")
    try:
        assert await discovery.runtime_pids() == (containerd.pid,)
        assert await discovery.verify()
    finally:
        await discovery.close()
