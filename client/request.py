"""What to trace, as a value."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen


@frozen(kw_only=True)
class TraceRequest:
    """What to trace: containers, by shell wildcards, and a hook with its arguments.

    `arguments` is quoted as for a shell. `duration` is seconds, or a text such as `500ms`.
    `exporters` of None means those the node was started with; of () none at all. With a `lease`,
    as long as a `duration`, the tracer deletes the session once nobody asked for it for so long.
    """

    hook: str
    pod: str = ""
    container: str = ""
    namespace: str = ""
    labels: Mapping[str, str] = field(factory=dict)
    arguments: str = ""
    context: str = ""
    duration: float | str | None = None
    max_events: int | None = None
    exporters: Sequence[str] | None = None
    lease: float | str | None = None

    def body(self, *, run: bool) -> dict[str, Any]:
        """Write it as the API takes it."""
        given: dict[str, Any] = {
            "pod": self.pod,
            "container": self.container,
            "namespace": self.namespace,
            "labels": dict(self.labels),
            "trace-hook": self.hook,
            "trace-arguments": self.arguments,
            "trace-user-context": self.context,
            "duration": self.duration,
            "max-events": self.max_events,
            "lease": self.lease,
            "exporters": None if self.exporters is None else list(self.exporters),
        }
        asked = {name: value for name, value in given.items() if value not in (None, "", {})}
        return {**asked, "run": run}
