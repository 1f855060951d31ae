"""The JSON of the API becomes values; keys that are not known are ignored.

Each function raises `LookupError`, `TypeError`, `AttributeError` or `ValueError` for what is not
the JSON of this API.
"""

from collections.abc import Sequence

from .values import (
    CallSummary,
    Container,
    ExporterStatistics,
    Hook,
    HookArgument,
    Json,
    Pod,
    Session,
    Statistics,
    Summary,
)


def read_pods(body: Json) -> tuple[Pod, ...]:
    """Read the answer to `GET /v1/pods`."""
    return tuple(
        Pod(key=key, containers=tuple(_container(one) for one in pod["Containers"].values()))
        for key, pod in body.items()
    )


def _container(one: Json) -> Container:
    return Container(
        name=one["Id"],
        pod=one.get("Pod", ""),
        namespace=one.get("Namespace", ""),
        container_id=one.get("ContainerId", ""),
        pod_uid=one.get("PodUid", ""),
        image=one.get("Image", ""),
        runtime=one.get("Runtime", ""),
        node=one.get("Node", ""),
        isolated=one.get("Isolated", False),
        refused=one.get("Refused", ""),
        labels=dict(one.get("Labels") or {}),
        parents=tuple(one.get("Parent") or ()),
        tasks=tuple(one.get("Tasks") or ()),
    )


def read_hooks(body: Json) -> tuple[Hook, ...]:
    """Read the answer to `GET /v1/trace-hooks`."""
    return tuple(
        Hook(
            name=one["Name"],
            group=group,
            available=one.get("Available", True),
            reason=one.get("Reason", ""),
            unavailable_on=dict(one.get("UnavailableOn") or {}),
            description=_texts(one.get("Description")),
            arguments=tuple(_argument(each) for each in one.get("Arguments") or ()),
        )
        for group, tracers in body.items()
        for one in tracers["Tracers"].values()
    )


def _argument(one: Json) -> HookArgument:
    return HookArgument(
        flags=_texts(one.get("Flags")),
        value=one.get("Value", ""),
        description=one.get("Description", ""),
    )


def read_session(one: Json) -> Session:
    """Read a session of an answer of `/v1/trace-session`."""
    return Session(
        session_id=one["Id"],
        state=one.get("State") or ("running" if one.get("Running") else "stopped"),
        node=one.get("Node", ""),
        group=one.get("Group") or "",
        hook=one.get("TraceHook", ""),
        arguments=_texts(one.get("TraceParams")),
        user_context=one.get("Context", ""),
        containers={pod: _texts(names) for pod, names in (one.get("Containers") or {}).items()},
        refused={pod: dict(reasons) for pod, reasons in (one.get("Refused") or {}).items()},
        ended_containers={
            pod: dict(names) for pod, names in (one.get("EndedContainers") or {}).items()
        },
        ended_container_count=one.get("EndedContainerCount", 0),
        wait_for_pods=bool(one.get("WaitForPods")),
        running=bool(one.get("Running")),
        reason=one.get("Reason", ""),
        created=one.get("Created", ""),
        started=one.get("Started", ""),
        ended=one.get("Ended", ""),
        trace_id=one.get("TraceId", ""),
        sample_rate=one.get("SampleRate", ""),
        outputs=_texts(one.get("Output")),
        errors=_texts(one.get("Error")),
        statistics=read_statistics(one.get("Statistics") or {}),
        json=one,
    )


def read_statistics(one: Json) -> Statistics:
    """Read `Statistics` of a session, or of the end of a stream."""
    source = one.get("Source") or {}
    return Statistics(
        attributed=one.get("Attributed", 0),
        filtered_out=one.get("FilteredOut", 0),
        sampled_out=one.get("SampledOut", 0),
        passed=one.get("Passed", 0),
        spans=one.get("Spans", 0),
        incomplete_spans=one.get("IncompleteSpans", 0),
        lost=source.get("Lost", 0),
        malformed=source.get("Malformed", 0),
        exporters={
            name: ExporterStatistics(
                delivered=each.get("Delivered", 0),
                dropped=each.get("Dropped", 0),
                pending=each.get("Pending", 0),
                delivered_spans=each.get("DeliveredSpans", 0),
                dropped_spans=each.get("DroppedSpans", 0),
            )
            for name, each in (one.get("Exporters") or {}).items()
        },
        json=one,
    )


def read_summary(one: Json) -> Summary:
    """Read a summary of an answer of `/v1/trace-session/ID/summary`."""
    return Summary(
        session_id=one["Id"],
        state=one.get("State", ""),
        node=one.get("Node", ""),
        hook=one.get("TraceHook", ""),
        started_ns=one.get("StartedNs", 0),
        until_ns=one.get("UntilNs", 0),
        relative_error=one.get("RelativeError", 0.0),
        spans=one.get("Spans", 0),
        incomplete=one.get("Incomplete", 0),
        lost=one.get("Lost", 0),
        calls=tuple(_call(each) for each in one.get("Calls") or ()),
        json=one,
    )


def _call(one: Json) -> CallSummary:
    return CallSummary(
        name=one["Name"],
        container=one.get("Container", ""),
        pod=one.get("Pod", ""),
        namespace=one.get("Namespace", ""),
        container_id=one.get("ContainerId", ""),
        count=one.get("Count", 0),
        errors=one.get("Errors", 0),
        incomplete=one.get("Incomplete", 0),
        total_ns=one.get("TotalNs", 0),
        p50_ns=one.get("P50Ns", 0),
        p95_ns=one.get("P95Ns", 0),
        p99_ns=one.get("P99Ns", 0),
        max_ns=one.get("MaxNs", 0),
        buckets={int(bucket): count for bucket, count in (one.get("Buckets") or {}).items()},
    )


def _texts(value: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(value or ())
