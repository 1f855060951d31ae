"""The tracers of a cluster: those that can be asked, and those that cannot yet."""

from collections.abc import Mapping

from attrs import field, frozen


@frozen(kw_only=True)
class Node:
    """A machine whose tracer can be asked.

    `name` is the machine's, the same as in its answers; no two nodes have the same. `host` is an
    IP address or a name, `pod` is the pod its tracer runs in, where that is known.
    """

    name: str
    host: str
    port: int
    pod: str = ""

    @property
    def authority(self) -> str:
        """Write where it listens as a URL has it: `10.0.0.1:8080`, or `[fd00::1]:8080`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@frozen(kw_only=True)
class Nodes:
    """All tracers at one moment, by name of their node.

    `ready` may be asked. `unready` have a tracer that is not ready, and why.
    """

    ready: tuple[Node, ...] = ()
    unready: Mapping[str, str] = field(factory=dict)
