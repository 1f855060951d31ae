"""A span is said to be whose the host knows it is; a guest may add to that, and replace nothing."""

import pytest
from attrs import evolve

from container_tracer.domain.model.guests.origin import (
    MAX_GUEST_ATTRIBUTES,
    guest_resource,
    guest_words,
)
from container_tracer.domain.model.guests.peer import GuestPeer
from container_tracer.domain.model.pod import Container, Pod
from container_tracer.domain.model.single_span import AttributeMap, AttributeValue
from container_tracer.domain.model.span_attributes import ServiceResource

RESOURCE = ServiceResource(
    service_name="kata-agent", host_name="h1", node="node-1", tags={"team": "blue"}
)
PEER = GuestPeer(address="/run/vc/vm/s1/clh.sock", sandbox_id="s1", vmm="cloud-hypervisor")
WEB = Container(name="web", pod="shop", container_id="c1", runtime="kata-clh", isolated=True)
POD = Pod(name="shop", namespace="sales", uid="u1", containers=(WEB,), sandboxes=("s1",))
KNOWN = {
    "service.name": "kata-agent",
    "host.name": "h1",
    "k8s.node.name": "node-1",
    "team": "blue",
    "container_tracer.sandbox.id": "s1",
    "container_tracer.vmm": "cloud-hypervisor",
}


def described(
    pod: Pod | None = None, said: AttributeMap | None = None, peer: GuestPeer = PEER
) -> AttributeMap:
    return guest_resource(RESOURCE, peer=peer, pod=pod, words=guest_words(said or {}))


def test_a_sandbox_of_kubernetes_is_described_by_its_pod() -> None:
    assert described(POD) == KNOWN | {
        "k8s.namespace.name": "sales",
        "k8s.pod.name": "shop",
        "k8s.pod.uid": "u1",
        "container.runtime.name": "kata-clh",
    }


def test_one_that_nobody_knows_is_still_described() -> None:
    assert described() == KNOWN


def test_without_kubernetes_it_is_the_one_container() -> None:
    alone = Pod(name="web", containers=(evolve(WEB, pod="web"),))
    assert described(alone) == KNOWN | {
        "container.name": "web",
        "container.id": "c1",
        "container.runtime.name": "kata-clh",
    }


def test_of_a_guest_without_a_known_sandbox_the_address_is_told() -> None:
    told = described(peer=GuestPeer(address="vsock:77", vmm="qemu"))
    assert told["container_tracer.guest.address"] == "vsock:77"
    assert "container_tracer.sandbox.id" not in told


@pytest.mark.parametrize(
    "name",
    [
        "service.name",
        "service.version",
        "Service.Name",
        "host.name",
        "host.id",
        "k8s.pod.name",
        "k8s.cluster.name",
        "container.id",
        "container_tracer.synthetic",
        "telemetry.sdk.name",
        "otel.scope.name",
        "cloud.account.id",
        "team",
        "",
        "two words",
        "new\nline",
        "x" * 200,
    ],
)
def test_a_guest_cannot_say_who_it_is(name: str) -> None:
    assert described(POD, {name: "evil"}) == described(POD)


@pytest.mark.parametrize(("value", "kept"), [("v" * 256, True), (7, True), ("v" * 257, False)])
def test_a_guest_may_say_short_things_of_itself(value: AttributeValue, kept: bool) -> None:
    assert (described(POD, {"agent.build": value}) == described(POD)) is not kept


def test_a_guest_may_not_say_much() -> None:
    told = described(None, {f"x{number}": number for number in range(1000)})
    assert len(told) == len(KNOWN) + MAX_GUEST_ATTRIBUTES
