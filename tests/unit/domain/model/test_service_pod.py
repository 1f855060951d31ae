"""Which pod of tracer-svc is asked, and how."""

from typing import Any

import pytest

from container_tracer.domain.model.service_pod import ServicePod, choose_pod
from container_tracer.fakes.kubernetes.manifests import tracer_pod


def pod(name: str = "a", *, ports: Any = (), probe: Any = None, **more: Any) -> dict[str, Any]:
    made = tracer_pod(name, node="worker-1", **more)
    (container,) = made["spec"]["containers"]
    container |= {"ports": list(ports), "readinessProbe": {"httpGet": probe}}
    return made


HTTP = {"name": "http", "containerPort": 9000}
HTTPS = {"name": "https", "containerPort": 9443}
METRICS = {"name": "metrics", "containerPort": 1}


@pytest.mark.parametrize(
    ("made", "port", "secure"),
    [
        (pod(), 8080, False),
        (pod(ports=[METRICS, HTTP]), 9000, False),
        (pod(ports=[HTTP, HTTPS]), 9443, True),
        (pod(ports=[HTTP], probe={"port": "http", "scheme": "HTTPS"}), 9000, True),
        (pod(ports=[HTTPS], probe={"port": 7000}), 7000, False),
        (pod(ports="nonsense", probe=[7]), 8080, False),
    ],
)
def test_its_port_is_where_it_is_probed_or_what_it_is_called(
    made: dict[str, Any], port: int, secure: bool
) -> None:
    assert choose_pod([made]) == ServicePod(name="a", port=port, secure=secure)


def test_a_ready_one_is_chosen_and_rather_another_than_the_one_that_failed() -> None:
    pods = [pod("a", ready=False), pod("c"), pod("b")]
    chosen = [choose_pod(pods), choose_pod(pods, avoid="b"), choose_pod(pods[:2], avoid="c")]
    assert [one.name for one in chosen if isinstance(one, ServicePod)] == ["b", "c", "c"]


def test_where_none_is_ready_the_reasons_are_told() -> None:
    assert choose_pod([]) == ""
    told = choose_pod([pod("a", ready=False), {"metadata": 7}, pod("b", phase="Failed")])
    assert isinstance(told, str)
    assert "its pod a is not ready" in told
    assert "its pod b has ended" in told
