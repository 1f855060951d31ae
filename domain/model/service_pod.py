"""Which pod of tracer-svc is spoken to through the Kubernetes API, and how."""

from collections.abc import Iterable

from attrs import frozen

from .kubernetes_json import at, members, number, text
from .tracer_pods import TracerPod, read_pod

PORT = 8080
_PORT_NAMES = ("https", "http", "api")


@frozen(kw_only=True)
class ServicePod:
    """A pod that answers at `port`; `secure` says that it does so with TLS."""

    name: str
    port: int
    secure: bool = False


def choose_pod(pods: Iterable[object], *, avoid: str = "") -> ServicePod | str:
    """Choose a ready pod, another than `avoid` if there is one; else say why there is none.

    What is not known of a pod's port is what its probe of readiness says: the kubelet asks it.
    """
    known = [(pod, raw) for raw in pods if (pod := read_pod(raw))]
    ready = [(pod, raw) for pod, raw in known if not pod.trouble]
    if not ready:
        return "; ".join(pod.trouble for pod, _ in known)
    pod, raw = min(ready, key=lambda one: (one[0].name == avoid, one[0].name))
    probe = next(filter(None, map(_probe, members(raw, "spec", "containers"))), None)
    secure = text(probe, "scheme") == "HTTPS" or (probe is None and "https" in pod.ports)
    return ServicePod(name=pod.name, port=_port(pod, probe), secure=secure)


def _probe(container: object) -> object:
    return at(container, "readinessProbe", "httpGet")


def _port(pod: TracerPod, probe: object) -> int:
    asked = number(probe, "port") or pod.ports.get(text(probe, "port"), 0)
    named = (pod.ports[one] for one in _PORT_NAMES if one in pod.ports)
    return asked or next(named, PORT)
