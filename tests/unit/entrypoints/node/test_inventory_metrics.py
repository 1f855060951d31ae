from attrs import evolve
from prometheus_client import CollectorRegistry, generate_latest

from container_tracer.domain.model.pod import Container, Pod
from container_tracer.domain.services.container_watch import ContainerWatch
from container_tracer.domain.services.inventory import PodInventory
from container_tracer.domain.services.upkeep import Upkeep
from container_tracer.entrypoints.node.inventory_metrics import InventoryMetrics
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.kernel_tracer import FakeKernelTracer
from container_tracer.fakes.pod_discovery import FakePodDiscovery
from container_tracer.fakes.task_directory import FakeTaskDirectory


async def test_what_is_known_and_what_was_done_for_it_is_shown() -> None:
    web = Container(name="web", pod="shop", container_id="a" * 64, tasks=(7,))
    discovery = FakePodDiscovery(pods=[Pod(name="shop", containers=(web,)), Pod(name="empty")])
    directory, clock = FakeTaskDirectory(), FakeClock()
    inventory = PodInventory(discovery=discovery, directory=directory, clock=clock)
    watch = ContainerWatch(
        tracer=FakeKernelTracer(formats={}), directory=directory, inventory=inventory, clock=clock
    )
    registry = CollectorRegistry()
    registry.register(InventoryMetrics(Upkeep(watch=watch, inventory=inventory)))
    await inventory.refresh()
    discovery.pods[0] = evolve(discovery.pods[0], containers=())
    await inventory.refresh()
    inventory.poke()
    watch.gaps = 2
    lines = generate_latest(registry).decode().splitlines()
    shown = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert {
        name.removeprefix("container_tracer_"): float(value) for name, value in shown.items()
    } == {
        "pods": 2,
        "containers": 0,
        "watch_available": 1,
        "discovery_looks_total": 2,
        "discovery_failures_total": 0,
        "inventory_pokes_total": 1,
        "watch_gaps_total": 2,
    }
    watch.failure = "this kernel tells nothing"
    assert b"watch_available 0.0" in generate_latest(registry)
