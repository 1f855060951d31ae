"""What to trace, as a value."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from attrs import frozen


@frozen(kw_only=True)
class TraceRequest:
    """What to trace: containers, by shell wildcards, and a hook with its arguments.

    `labels` are exact, or a text such as `app=web,tier in (front,back),!canary`. With `vmm`, the
    VMM of a container in a virtual machine is traced; else such a container is refused.
    `arguments` is quoted as for a shell. `duration` is seconds, or a text such as `500ms`.
    With `wait_for_pods` nothing needs to match yet, and the session goes on when nothing does.
    `exporters` of None means those the node was started with; of () none at all. Of its
    spans they get `sample_rate`: a percentage, `always` or `never`; None is as the node was told.
    With a `lease`, as long as a `duration`, the tracer deletes the session once nobody asked for
    it for so long.
    """

    hook: str
    pod: str = ""
    container: str = ""
    namespace: str = ""
    labels: str | Mapping[str, str] = ""
    vmm: bool = False
    arguments: str = ""
    context: str = ""
    duration: float | str | None = None
    max_events: int | None = None
    exporters: Sequence[str] | None = None
    sample_rate: float | str | None = None
    lease: float | str | None = None
    wait_for_pods: bool = False

    def body(self, *, run: bool) -> dict[str, Any]:
        """Write it as the API takes it."""
        given: dict[str, Any] = {
            "pod": self.pod,
            "container": self.container,
            "namespace": self.namespace,
            "labels": self.labels if isinstance(self.labels, str) else dict(self.labels),
            "vmm": self.vmm or None,
            "trace-hook": self.hook,
            "trace-arguments": self.arguments,
            "trace-user-context": self.context,
            "duration": self.duration,
            "max-events": self.max_events,
            "sample-rate": self.sample_rate,
            "lease": self.lease,
            "wait-for-pods": self.wait_for_pods or None,
            "exporters": None if self.exporters is None else list(self.exporters),
        }
        asked = {name: value for name, value in given.items() if value not in (None, "", {})}
        return {**asked, "run": run}


def pods_path(*, pod: str, container: str, namespace: str, labels: str, vmm: bool) -> str:
    """Write where the pods of a selection are listed."""
    given = {"pod": pod, "container": container, "namespace": namespace, "labels": labels}
    query = {name: value for name, value in given.items() if value}
    encoded = urlencode({**query, "vmm": "true"} if vmm else query)
    return f"/v1/pods?{encoded}" if encoded else "/v1/pods"
