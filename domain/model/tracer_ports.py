"""On which port tracers listen, as the Kubernetes API has it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from attrs import frozen

from .kubernetes_json import at, members, number, text
from .tracer_pods import TracerPod

SERVICE_LABEL = "kubernetes.io/service-name"

_NAMES = ("api", "http", "https")
_MAX_PORT = 65535


@frozen(kw_only=True)
class PublishedPort:
    """A port of a service, the addresses where it is open, and the names of their pods."""

    port: int
    hosts: frozenset[str] = frozenset()
    pods: frozenset[str] = frozenset()


@frozen(kw_only=True)
class TracerService:
    """The service of the tracers; `target` is the number or name of the port it leads to."""

    name: str
    target: int | str = 0


@frozen(kw_only=True)
class TracerPorts:
    """All that says where tracers listen; `any_port` is where one does, 0 if none is known."""

    by_pod: Mapping[str, int]
    by_host: Mapping[str, int]
    any_port: int
    targets: Sequence[int | str]

    @classmethod
    def of(
        cls, published: Iterable[PublishedPort], services: Iterable[TracerService]
    ) -> "TracerPorts":
        """Put together what is published, and what services say."""
        known = tuple(published)
        return cls(
            by_pod={pod: one.port for one in known for pod in one.pods},
            by_host={host: one.port for one in known for host in one.hosts},
            any_port=known[0].port if known else 0,
            targets=[one.target for one in services],
        )

    def port(self, pod: TracerPod) -> int:
        """Return on which port a pod's tracer listens; 0 if nothing says it.

        What names the pod itself counts most, then its address: during an update, pods may differ.
        """
        if known := self.by_pod.get(pod.name) or self.by_host.get(pod.host) or self.any_port:
            return known
        ports = (one if isinstance(one, int) else pod.ports.get(one, 0) for one in self.targets)
        return next((one for one in ports if 0 < one <= _MAX_PORT), 0)


def read_service(raw: object) -> TracerService | None:
    """Understand a service; one without a name is None."""
    if not (name := text(raw, "metadata", "name")):
        return None
    port = _chosen(members(raw, "spec", "ports"))
    target = at(port, "targetPort")
    if isinstance(target, str) and target:
        return TracerService(name=name, target=int(target) if target.isdecimal() else target)
    return TracerService(name=name, target=number(port, "targetPort") or number(port, "port"))


def read_endpoint_slice(raw: object) -> Sequence[PublishedPort] | None:
    """Understand an EndpointSlice of `discovery.k8s.io/v1`; one without a name is None."""
    if not text(raw, "metadata", "name"):
        return None
    endpoints = list(members(raw, "endpoints"))
    hosts = (host for one in endpoints for host in _texts(one.get("addresses")))
    return tuple(_published(raw, hosts, endpoints))


def read_endpoints(raw: object) -> Sequence[PublishedPort] | None:
    """Understand Endpoints, which are what clusters without slices have; likewise."""
    if not text(raw, "metadata", "name"):
        return None
    return tuple(chain.from_iterable(map(_of_subset, members(raw, "subsets"))))


def _of_subset(subset: object) -> Iterator[PublishedPort]:
    addresses = [*members(subset, "addresses"), *members(subset, "notReadyAddresses")]
    return _published(subset, (text(one, "ip") for one in addresses), addresses)


def _texts(found: object) -> Iterator[str]:
    if isinstance(found, list):
        yield from (one for one in found if isinstance(one, str))


def _published(
    raw: object, hosts: Iterable[str], endpoints: Iterable[object]
) -> Iterator[PublishedPort]:
    port = number(_chosen(members(raw, "ports")), "port")
    pods = (text(one, "targetRef", "name") for one in endpoints)
    if 0 < port <= _MAX_PORT:
        yield PublishedPort(port=port, hosts=frozenset(hosts), pods=frozenset(filter(None, pods)))


def _chosen(ports: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the one for the API by its name, else the first of TCP."""
    tcp = [one for one in ports if text(one, "protocol") in ("", "TCP")]
    named = (one for name in _NAMES for one in tcp if text(one, "name") == name)
    return next(named, tcp[0] if tcp else {})
