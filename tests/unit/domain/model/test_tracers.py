import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_tracer.domain.model.nodes import Node, Nodes
from container_tracer.domain.model.tracers import Tracers
from container_tracer.fakes.kubernetes.manifests import (
    endpoint_slice,
    endpoints,
    tracer_pod,
    tracer_service,
)


def tracers(*objects: Any) -> Tracers:
    known = Tracers()
    kinds: dict[str, Any] = {
        "Pod": known.pods,
        "Service": known.services,
        "EndpointSlice": known.slices,
        "Endpoints": known.endpoints,
    }
    for one in objects:
        kinds[one["kind"]].add([one], "1")
    return known


def nodes(*objects: Any) -> Nodes:
    return tracers(*objects).nodes()


POD = tracer_pod("tracer-a", node="worker-1", ip="10.0.0.1")


def test_a_ready_pod_is_a_node_at_its_address_and_the_port_of_its_slice() -> None:
    assert nodes(POD, endpoint_slice(POD, port=9000)) == Nodes(
        ready=(Node(name="worker-1", host="10.0.0.1", port=9000, pod="tracer-a"),)
    )


def test_addresses_of_both_families_are_authorities_of_urls() -> None:
    six = tracer_pod("tracer-b", node="worker-2", ip="fd00::2")
    found = nodes(POD, six, endpoint_slice(POD), endpoint_slice(six, name="six")).ready
    assert [one.authority for one in found] == ["10.0.0.1:8080", "[fd00::2]:8080"]


def test_each_pod_has_the_port_of_the_slice_that_names_it_or_its_address() -> None:
    other = tracer_pod("tracer-b", node="worker-2", ip="10.0.0.1")
    third = tracer_pod("tracer-c", node="worker-3", ip="10.0.0.3")
    fourth = tracer_pod("tracer-d", node="worker-4", ip="10.0.0.4")
    nameless = endpoint_slice(third, name="third", port=3)
    del nameless["endpoints"][0]["targetRef"]
    slices = endpoint_slice(POD, name="old", port=1), endpoint_slice(other, name="new", port=2)
    found = nodes(POD, other, third, fourth, *slices, nameless).ready
    assert [one.port for one in found] == [1, 2, 3, 1]


@pytest.mark.parametrize(
    ("objects", "port"),
    [
        ([endpoints(POD, port=7000), tracer_service(target=1)], 7000),
        ([tracer_service(target=7001)], 7001),
        ([tracer_service(target="7002")], 7002),
        ([tracer_service(target="api")], 8080),
        ([tracer_service(target=0, port=7003)], 7003),
        ([endpoint_slice(POD, port=0), tracer_service(target=70)], 70),
        ([endpoint_slice(POD, port=70_000), tracer_service(target=71)], 71),
    ],
)
def test_without_slices_the_next_best_says_the_port(objects: Any, port: int) -> None:
    assert [one.port for one in nodes(POD, *objects).ready] == [port]


@pytest.mark.parametrize("target", ["other", 0, 70_000])
def test_a_pod_whose_port_nothing_says_is_not_ready(target: Any) -> None:
    found = nodes(POD, tracer_service(target=target, port=0))
    assert found.unready == {"worker-1": "no service says on which port its pod tracer-a listens"}
    assert found.ready == ()


def test_of_several_ports_that_of_the_api_is_taken() -> None:
    published = endpoint_slice(POD)
    published["ports"] = [
        {"name": "metrics", "port": 1, "protocol": "TCP"},
        {"name": "dns", "port": 2, "protocol": "UDP"},
        {"name": "https", "port": 3, "protocol": "TCP"},
    ]
    assert nodes(POD, published).ready[0].port == 3
    del published["ports"][2]
    assert nodes(POD, published).ready[0].port == 1


def test_of_two_tracers_on_a_node_the_newest_ready_one_is_asked() -> None:
    new = tracer_pod("tracer-b", node="worker-1", ip="10.0.0.2", created="2026-11-21T10:00:00Z")
    starting = tracer_pod("c", node="worker-1", created="2026-11-21T11:00:00Z", ready=False)
    found = nodes(POD, starting, new, endpoint_slice(POD, new))
    assert [one.pod for one in found.ready] == ["tracer-b"]
    assert found.unready == {}


WAITING = {"name": "tracer", "image": "example.org/tracer:1"}


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    return {
        "phase": "Pending",
        "containerStatuses": [
            {**WAITING, "state": {"waiting": {"reason": reason, "message": message}}, **more}
        ],
    }


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        ({"ready": False}, "is not ready since 2026-11-20T10:00:00Z"),
        ({"phase": "Pending"}, "is not ready since 2026-11-20T10:00:00Z"),
        ({"phase": "Unknown", "conditions": []}, "is not ready"),
        ({"phase": "Failed", "reason": "Evicted", "message": "low."}, "has ended: Evicted: low"),
        ({"phase": "Succeeded"}, "has ended: Succeeded"),
        (
            waiting("ImagePullBackOff", 'Back-off pulling "x"'),
            'cannot get the image example.org/tracer:1: Back-off pulling "x"',
        ),
        (waiting("ErrImagePull"), "cannot get the image example.org/tracer:1: ErrImagePull"),
        (waiting("ContainerCreating"), "waits: ContainerCreating"),
        (
            waiting(
                "CrashLoopBackOff",
                lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
            ),
            "ends again and again, the last time with exit code 137 (OOMKilled)",
        ),
        (
            {
                "phase": "Pending",
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/3 nodes\n",
                    }
                ],
            },
            "is not scheduled: Unschedulable: 0/3 nodes\\n",
        ),
        ({"podIP": "", "podIPs": []}, "has no IP address yet"),
        ({"podIP": "evil.example/?", "podIPs": None}, "has no IP address yet"),
    ],
)
def test_a_pod_that_is_not_ready_says_why(status: dict[str, Any], trouble: str) -> None:
    pod = tracer_pod("tracer-a", node="worker-1", **status)
    found = nodes(pod, endpoint_slice(POD))
    assert found == Nodes(unready={"worker-1": f"its pod tracer-a {trouble}"})


def test_a_pod_that_is_being_deleted_is_asked_no_more() -> None:
    pod = tracer_pod("tracer-a", node="worker-1")
    pod["metadata"]["deletionTimestamp"] = "2026-11-21T10:00:00Z"
    assert nodes(pod, endpoint_slice(pod)).unready == {
        "worker-1": "its pod tracer-a is being deleted"
    }


def test_a_pod_that_is_on_no_node_yet_goes_by_the_node_it_is_for() -> None:
    pod = tracer_pod("tracer-a", node="", phase="Pending", ready=False)
    assert list(nodes(pod).unready) == ["tracer-a"]
    rule = {"key": "metadata.name", "operator": "In", "values": ["worker-9"]}
    terms = {"nodeSelectorTerms": [{"matchFields": [rule]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": terms}
    pod["spec"]["affinity"] = {"nodeAffinity": required}
    assert list(nodes(pod).unready) == ["worker-9"]


def test_a_malformed_object_spoils_no_other() -> None:
    known = tracers(POD, endpoint_slice(POD))
    junk: list[Any] = [None, 1, [], {}, {"metadata": {"name": 1}}, {"metadata": []}]
    for kept in (known.pods, known.services, known.slices, known.endpoints):
        kept.add(junk, "2")
    assert [one.name for one in known.nodes().ready] == ["worker-1"]


KINDS = (POD, endpoint_slice(POD), endpoints(POD), tracer_service())
JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 1.5, "", "x", [], [None], {}, {"name": []}]
)


@given(data=st.data())
def test_whatever_a_part_of_an_object_is_it_is_understood(data: st.DataObject) -> None:
    objects = json.loads(json.dumps(KINDS))
    one = data.draw(st.sampled_from(objects))
    while True:
        keys = list(one) if isinstance(one, dict) else list(range(len(one)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(one[key], dict | list) or not one[key] or data.draw(st.booleans()):
            one[key] = data.draw(JUNK)
            break
        one = one[key]
    found = nodes(
        *({**one, "kind": kind["kind"]} for one, kind in zip(objects, KINDS, strict=True))
    )
    assert len(found.ready) + len(found.unready) <= 1
