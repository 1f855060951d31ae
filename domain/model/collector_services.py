"""Services of Kubernetes behind which there is a Jaeger collector, and which of them to use."""

import re
from collections.abc import Sequence

from attrs import frozen

from .kubernetes_json import members, number, text

SERVICE = "jaeger-collector"
PORT = 14268
"""Where collectors take Thrift over HTTP."""

PATH = "/api/traces"


@frozen(kw_only=True)
class CollectorService:
    """A service, by the namespace it is in; `host` is its address, else its name."""

    namespace: str
    host: str

    @property
    def url(self) -> str:
        """Return where its collector takes spans."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{PORT}{PATH}"


@frozen(kw_only=True)
class CollectorServices:
    """All there are in a cluster, and the namespace that whoever asks is at `home` in."""

    services: Sequence[CollectorService] = ()
    home: str = ""

    @property
    def in_order(self) -> Sequence[CollectorService]:
        """Return them by preference: the one at home, then by the names of their namespaces."""
        return sorted(self.services, key=lambda one: (one.namespace != self.home, one.namespace))


def read_collector_service(raw: object) -> CollectorService | None:
    """Understand a service; None if no collector can be behind it.

    The address of a service can be reached where its name is unknown: without the cluster's name
    server, on the network of a host. A headless or external service has a name only.
    """
    namespace = text(raw, "metadata", "namespace")
    if text(raw, "metadata", "name") != SERVICE or not re.fullmatch("[a-z0-9-]{1,63}", namespace):
        return None
    ports = members(raw, "spec", "ports")
    if not any(number(one, "port") == PORT and _is_tcp(text(one, "protocol")) for one in ports):
        return None
    address = text(raw, "spec", "clusterIP")
    if re.fullmatch("[0-9a-fA-F.:]+", address):
        return CollectorService(namespace=namespace, host=address)
    return CollectorService(namespace=namespace, host=f"{SERVICE}.{namespace}")


def _is_tcp(protocol: str) -> bool:
    return protocol in ("", "TCP")
