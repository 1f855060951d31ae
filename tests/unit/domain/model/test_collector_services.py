"""Which services a Jaeger collector is behind, and which of several is used."""

from typing import Any

import pytest

from container_tracer.domain.model.collector_services import (
    CollectorService,
    CollectorServices,
    read_collector_service,
)
from container_tracer.fakes.kubernetes.manifests import jaeger_service


@pytest.mark.parametrize(
    ("changed", "url"),
    [
        ({}, "http://10.96.0.7:14268/api/traces"),
        ({"clusterIP": "fd00::7"}, "http://[fd00::7]:14268/api/traces"),
        ({"clusterIP": "None"}, "http://jaeger-collector.tracing:14268/api/traces"),
        (
            {"clusterIP": "", "type": "ExternalName", "externalName": "jaeger.example"},
            "http://jaeger-collector.tracing:14268/api/traces",
        ),
        (
            {"ports": [{"port": 14250}, {"port": 14268, "protocol": "TCP"}]},
            "http://10.96.0.7:14268/api/traces",
        ),
    ],
)
def test_a_service_is_reached_by_its_address_if_it_has_one(
    changed: dict[str, Any], url: str
) -> None:
    service = jaeger_service("tracing", ip="10.96.0.7")
    service["spec"] |= changed
    found = read_collector_service(service)
    assert found is not None
    assert (found.namespace, found.url) == ("tracing", url)


@pytest.mark.parametrize(
    "service",
    [
        jaeger_service("tracing", port=4317),
        jaeger_service("tracing", name="jaeger-collector-headless"),
        jaeger_service("x/../y"),
        {**jaeger_service("tracing"), "spec": {"ports": [{"port": 14268, "protocol": "UDP"}]}},
        {**jaeger_service("tracing"), "spec": {"ports": None}},
        {"metadata": None},
        None,
    ],
)
def test_what_exposes_no_collector_is_none(service: object) -> None:
    assert read_collector_service(service) is None


def test_the_own_namespace_is_preferred_then_they_go_by_name() -> None:
    def at(namespace: str) -> CollectorService:
        return CollectorService(namespace=namespace, host="10.0.0.1")

    services = [at(name) for name in ("b", "home", "a")]
    for home, order in (("home", "home a b"), ("", "a b home"), ("elsewhere", "a b home")):
        found = CollectorServices(services=services, home=home).in_order
        assert [one.namespace for one in found] == order.split()
