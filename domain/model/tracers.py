"""The tracers of a cluster: out of its pods, and what says where these listen."""

from collections.abc import Sequence
from itertools import chain

from attrs import define, field

from .nodes import Node, Nodes
from .tracer_pods import TracerPod, read_pod
from .tracer_ports import (
    PublishedPort,
    TracerPorts,
    TracerService,
    read_endpoint_slice,
    read_endpoints,
    read_service,
)
from .watched_objects import WatchedObjects


def _pods() -> WatchedObjects[TracerPod]:
    return WatchedObjects(read=read_pod)


def _services() -> WatchedObjects[TracerService]:
    return WatchedObjects(read=read_service)


def _slices() -> WatchedObjects[Sequence[PublishedPort]]:
    return WatchedObjects(read=read_endpoint_slice)


def _endpoints() -> WatchedObjects[Sequence[PublishedPort]]:
    return WatchedObjects(read=read_endpoints)


@define
class Tracers:
    """What is known of a cluster's objects; endpoints are those of clusters without slices."""

    pods: WatchedObjects[TracerPod] = field(factory=_pods)
    services: WatchedObjects[TracerService] = field(factory=_services)
    slices: WatchedObjects[Sequence[PublishedPort]] = field(factory=_slices)
    endpoints: WatchedObjects[Sequence[PublishedPort]] = field(factory=_endpoints)

    def doubt(self) -> None:
        """Let the next lists count, however old they are."""
        for known in (self.pods, self.services, self.slices, self.endpoints):
            known.doubt()

    def nodes(self) -> Nodes:
        """Return the nodes these make.

        Of several pods of a node, as an update may have them, the newest that is ready is asked; if
        none is, the newest says why.
        """
        published = chain(*self.slices.values(), *self.endpoints.values())
        ports = TracerPorts.of(published, self.services.values())
        ready: dict[str, Node] = {}
        unready: dict[str, str] = {}
        for pod in sorted(self.pods.values(), key=lambda one: (one.created, one.name)):
            port = ports.port(pod)
            trouble = pod.trouble or _without(pod, port)
            if trouble:
                unready[pod.node or pod.name] = trouble
            else:
                ready[pod.node] = Node(name=pod.node, host=pod.host, port=port, pod=pod.name)
        return Nodes(
            ready=tuple(ready[name] for name in sorted(ready)),
            unready={name: unready[name] for name in sorted(unready) if name not in ready},
        )


def _without(pod: TracerPod, port: int) -> str:
    if not pod.node:
        return f"its pod {pod.name} is on no node"
    if not port:
        return f"no service says on which port its pod {pod.name} listens"
    return ""
