"""What a tracer tells, as values: pods, hooks, sessions, statistics, summaries.

Those that have `json` keep the JSON they were read from.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from attrs import field, frozen

Json: TypeAlias = Mapping[str, Any]


@frozen(kw_only=True)
class Container:
    """A container; `parents` are its first processes, `tasks` all its threads.

    `refused` says why a session would not trace it; it is empty where one would.
    """

    name: str
    pod: str
    namespace: str = ""
    container_id: str = ""
    pod_uid: str = ""
    image: str = ""
    runtime: str = ""
    node: str = ""
    isolated: bool = False
    refused: str = ""
    labels: Mapping[str, str] = field(factory=dict)
    parents: tuple[int, ...] = ()
    tasks: tuple[int, ...] = ()


@frozen(kw_only=True)
class Pod:
    """A pod by its key in the API: its name, or `namespace/name` where that is needed."""

    key: str
    containers: tuple[Container, ...]


@frozen(kw_only=True)
class HookArgument:
    """An argument of a hook: `-s`, `--syscall`, with a value called `NAME...`."""

    flags: tuple[str, ...]
    value: str
    description: str


@frozen(kw_only=True)
class Hook:
    """A trace hook; `reason` says why it is not available, where it is not.

    `unavailable_on` says so of single nodes of a cluster, of which others have it.
    """

    name: str
    group: str
    available: bool
    reason: str = ""
    unavailable_on: Mapping[str, str] = field(factory=dict)
    description: tuple[str, ...] = ()
    arguments: tuple[HookArgument, ...] = ()


@frozen(kw_only=True)
class ExporterStatistics:
    """What became of a session's events and spans at one exporter."""

    delivered: int = 0
    dropped: int = 0
    pending: int = 0
    delivered_spans: int = 0
    dropped_spans: int = 0


@frozen(kw_only=True)
class Statistics:
    """The balance of one run of a session, in events unless it says spans.

    `lost` is what the kernel lost for everybody who shared its buffer while the session ran.
    """

    attributed: int = 0
    filtered_out: int = 0
    sampled_out: int = 0
    passed: int = 0
    spans: int = 0
    incomplete_spans: int = 0
    lost: int = 0
    malformed: int = 0
    exporters: Mapping[str, ExporterStatistics] = field(factory=dict)
    json: Json = field(factory=dict, repr=False, eq=False)

    @property
    def dropped(self) -> int:
        """Events that exporters dropped, together."""
        return sum(one.dropped for one in self.exporters.values())


@frozen(kw_only=True)
class Session:
    """A trace session as it was when it was asked for.

    `containers` are the names of those it traces, by pod; `ended_containers` how many of each
    name ended while it ran, of the latest, and `ended_container_count` of all. `refused` are
    those that match but are not traced, by pod and name, and why. `trace_id` is the trace, in
    hexadecimal, in which its latest run has a span of its own; empty before the first.
    `sample_rate` is how much of its spans exporters get: `always`, `never`, or a percentage.
    """

    session_id: str
    state: str
    node: str = ""
    group: str = ""
    hook: str = ""
    arguments: tuple[str, ...] = ()
    user_context: str = ""
    containers: Mapping[str, tuple[str, ...]] = field(factory=dict)
    ended_containers: Mapping[str, Mapping[str, int]] = field(factory=dict)
    ended_container_count: int = 0
    refused: Mapping[str, Mapping[str, str]] = field(factory=dict)
    wait_for_pods: bool = False
    running: bool = False
    reason: str = ""
    created: str = ""
    started: str = ""
    ended: str = ""
    trace_id: str = ""
    sample_rate: str = ""
    outputs: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    statistics: Statistics = field(factory=Statistics)
    json: Json = field(factory=dict, repr=False, eq=False)

    @property
    def handle(self) -> str:
        """The id for further requests: of all its parts, where it has parts on many nodes."""
        return self.group or self.session_id


@frozen(kw_only=True)
class CallSummary:
    """One call of one container; times in nanoseconds, of calls seen from end to end.

    `buckets` counts durations, if they were asked for.
    """

    name: str
    container: str
    pod: str = ""
    namespace: str = ""
    container_id: str = ""
    count: int = 0
    errors: int = 0
    incomplete: int = 0
    total_ns: int = 0
    p50_ns: int = 0
    p95_ns: int = 0
    p99_ns: int = 0
    max_ns: int = 0
    buckets: Mapping[int, int] = field(factory=dict, repr=False)


@frozen(kw_only=True)
class Summary:
    """Counts and latencies of one run of a session, up to `until_ns`."""

    session_id: str
    state: str
    node: str = ""
    hook: str = ""
    started_ns: int = 0
    until_ns: int = 0
    relative_error: float = 0.0
    spans: int = 0
    incomplete: int = 0
    lost: int = 0
    calls: tuple[CallSummary, ...] = ()
    json: Json = field(factory=dict, repr=False, eq=False)
