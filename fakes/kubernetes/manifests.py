"""Objects of a cluster in which container-tracer runs, as the Kubernetes API has them."""

from collections.abc import Mapping, Sequence
from typing import Any

SELECTOR_LABELS = {"app": "container-tracer-backend"}
SERVICE = "container-tracer-node"
CREATED = "2026-11-20T10:00:00Z"


def tracer_pod(
    name: str,
    *,
    node: str,
    ip: str = "10.0.0.1",
    namespace: str = "container-tracer",
    labels: Mapping[str, str] | None = None,
    created: str = CREATED,
    ready: bool = True,
    phase: str = "Running",
    **status: object,
) -> dict[str, Any]:
    """Return a pod of the DaemonSet; `status` adds to its status, or replaces parts of it."""
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": dict(SELECTOR_LABELS if labels is None else labels),
            "creationTimestamp": created,
        },
        "spec": {
            "nodeName": node,
            "containers": [
                {"name": "tracer", "ports": [{"name": "api", "containerPort": 8080}]},
            ],
        },
        "status": {
            "phase": phase,
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True" if ready else "False",
                    "lastTransitionTime": created,
                }
            ],
            **status,
        },
    }


def tracer_service(
    name: str = SERVICE,
    *,
    namespace: str = "container-tracer",
    port: int = 8080,
    target: int | str = "api",
) -> dict[str, Any]:
    """Return the headless service of the tracers."""
    return {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "clusterIP": "None",
            "selector": dict(SELECTOR_LABELS),
            "ports": [{"name": "api", "port": port, "targetPort": target, "protocol": "TCP"}],
        },
    }


def jaeger_service(
    namespace: str, *, ip: str = "10.96.0.7", port: int = 14268, name: str = "jaeger-collector"
) -> dict[str, Any]:
    """Return a service in front of a Jaeger collector."""
    return {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "clusterIP": ip,
            "selector": {"app": "jaeger"},
            "ports": [{"name": "thrift", "port": port, "protocol": "TCP"}],
        },
    }


def endpoint_slice(
    *pods: Mapping[str, Any],
    service: str = SERVICE,
    name: str = "",
    port: int = 8080,
    port_name: str = "api",
) -> dict[str, Any]:
    """Return what the service's controller writes for pods, who are all in one namespace."""
    namespace = pods[0]["metadata"]["namespace"] if pods else "container-tracer"
    return {
        "kind": "EndpointSlice",
        "apiVersion": "discovery.k8s.io/v1",
        "metadata": {
            "name": name or f"{service}-abcde",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv6" if pods and ":" in pods[0]["status"]["podIP"] else "IPv4",
        "endpoints": [_endpoint(pod) for pod in pods],
        "ports": [{"name": port_name, "port": port, "protocol": "TCP"}],
    }


def endpoints(*pods: Mapping[str, Any], service: str = SERVICE, port: int = 8080) -> dict[str, Any]:
    """Return the same as clusters without slices have it."""
    namespace = pods[0]["metadata"]["namespace"] if pods else "container-tracer"
    return {
        "kind": "Endpoints",
        "apiVersion": "v1",
        "metadata": {"name": service, "namespace": namespace},
        "subsets": [
            {
                "addresses": [
                    {"ip": pod["status"]["podIP"], "targetRef": _reference(pod)} for pod in pods
                ],
                "ports": [{"name": "api", "port": port, "protocol": "TCP"}],
            }
        ],
    }


def cluster(
    nodes: Mapping[str, tuple[str, int]], *, namespace: str = "container-tracer"
) -> Sequence[dict[str, Any]]:
    """Return all objects of a cluster whose tracers listen at an address and port each, by node."""
    made: list[dict[str, Any]] = [tracer_service(namespace=namespace)]
    for node, (ip, port) in nodes.items():
        pod = tracer_pod(f"container-tracer-node-{node}", node=node, ip=ip, namespace=namespace)
        made += [pod, endpoint_slice(pod, name=f"{SERVICE}-{node}", port=port)]
    return made


def _endpoint(pod: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": True},
        "nodeName": pod["spec"].get("nodeName"),
        "targetRef": _reference(pod),
    }


def _reference(pod: Mapping[str, Any]) -> dict[str, Any]:
    metadata = pod["metadata"]
    return {"kind": "Pod", "namespace": metadata["namespace"], "name": metadata["name"]}
