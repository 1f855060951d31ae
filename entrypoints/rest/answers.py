"""Domain values become the JSON of the API, with every key that existing clients know."""

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from ...domain.model.access import Rights
from ...domain.model.discovery_choice import DiscoveryChoice
from ...domain.model.hook import HookCatalogue, TraceHook
from ...domain.model.isolation import refusal_reason
from ...domain.model.pod import Container, Pod, pod_keys
from ...domain.model.session import TraceSession
from ...domain.model.stats import ExporterStats, SessionStats, SourceStats
from .json_answer import Json
from .times import rfc3339

_Place: TypeAlias = tuple[str, str, str]
"""Namespace, name and uid of a pod."""


def ready_answer(choice: DiscoveryChoice) -> Json:
    """Say that the kernel can be traced, and how containers are found."""
    return {
        "status": "ready",
        "discovery": choice.name,
        "runtime": choice.runtime,
        "reason": choice.reason,
    }


def pods_answer(containers: Iterable[Container], *, node: str, vmm: bool = False) -> Json:
    """Turn containers into `{pod: {"Containers": {container: {...}}}}`.

    `vmm` is what a session would be asked for with; it decides which of them it would refuse.
    """
    return {
        key: {
            "Containers": {
                name: _container(container, node, vmm=vmm)
                for name, container in _container_keys(members).items()
            }
        }
        for key, members in _by_pod(containers).items()
    }


def _by_pod(
    containers: Iterable[Container], names: Mapping[_Place, str] | None = None
) -> dict[str, list[Container]]:
    """Put containers of a pod together, under the pod's name, which `names` may say."""
    containers = list(containers)
    names = _pod_names(containers) if names is None else names
    pods: dict[str, list[Container]] = {}
    for container in containers:
        pods.setdefault(names[_place(container)], []).append(container)
    return pods


def _pod_names(containers: Iterable[Container]) -> dict[_Place, str]:
    """Name the pods of containers."""
    pods = {
        _place(one): Pod(name=one.pod, namespace=one.namespace, uid=one.pod_uid)
        for one in containers
    }
    return {
        (pod.namespace, pod.name, pod.uid): name for name, pod in pod_keys(pods.values()).items()
    }


def _place(container: Container) -> _Place:
    return container.namespace, container.pod, container.pod_uid


def _container_keys(containers: Iterable[Container]) -> dict[str, Container]:
    """Name containers; while one is being replaced, two have a name, and both are shown."""
    keys: dict[str, Container] = {}
    for container in containers:
        name = container.name
        keys[f"{name}/{container.container_id}" if name in keys else name] = container
    return keys


def _container(container: Container, node: str, *, vmm: bool) -> Json:
    return {
        "Id": container.name,
        "Pod": container.pod,
        "Parent": list(container.parents),
        "Tasks": list(container.tasks),
        "ContainerId": container.container_id,
        "Namespace": container.namespace,
        "PodUid": container.pod_uid,
        "Image": container.image,
        "Labels": dict(container.labels),
        "Runtime": container.runtime,
        "Node": node,
        "Isolated": container.isolated,
        "Refused": "" if vmm else refusal_reason(container),
    }


def hooks_answer(catalogue: HookCatalogue, rights: Rights) -> Json:
    """Turn hooks into `{group: {"Tracers": {hook: {...}}}}`, with those that are not allowed."""
    groups: Json = {}
    for name, hook in catalogue.hooks.items():
        tracers = groups.setdefault(hook.group, {"Tracers": {}})["Tracers"]
        tracers[name] = _hook(hook, rights.refusal_of(name) or catalogue.unavailable(hook))
    return groups


def _hook(hook: TraceHook, reason: str) -> Json:
    return {
        "Name": hook.name,
        "Description": list(hook.description),
        "Available": not reason,
        "Reason": reason,
        "Arguments": [
            {"Flags": list(one.flags), "Value": one.value, "Description": one.description}
            for one in hook.arguments
        ],
    }


def session_answer(session: TraceSession, statistics: SessionStats, *, node: str) -> Json:
    """Turn a session and its numbers into what `/v1/trace-session` says of it.

    `Output` and `Error` are lists of lines, or null where there are none, as they always were.
    """
    request = session.request
    refused = {one.container.key: one.reason for one in session.refused}
    not_taken = [one.container for one in session.refused]
    names = _pod_names((*session.containers, *session.ended, *not_taken))
    return {
        "Id": session.session_id,
        "Context": request.user_context,
        "Node": node,
        "Containers": {
            pod: [one.name for one in some]
            for pod, some in _by_pod(session.containers, names).items()
        },
        "EndedContainers": {
            pod: dict(Counter(one.name for one in some))
            for pod, some in _by_pod(session.ended, names).items()
        },
        "EndedContainerCount": session.ended_count,
        "LimitedTo": sorted(request.selector.within) if request.selector.limited else [],
        "Refused": {
            pod: {name: refused[one.key] for name, one in _container_keys(some).items()}
            for pod, some in _by_pod(not_taken, names).items()
        },
        "WaitForPods": request.wait_for_pods,
        "TraceHook": request.hook,
        "TraceParams": _words(request.arguments),
        "Running": session.running,
        "Output": list(session.outputs) or None,
        "Error": _errors(session, statistics) or None,
        "State": session.state.value,
        "Reason": session.reason,
        "Created": rfc3339(session.created_ns),
        "Started": rfc3339(session.started_ns),
        "Ended": rfc3339(session.ended_ns),
        "Group": request.group,
        "TraceId": session.trace_id.hex(),
        "SampleRate": str(session.sample_rate),
        "Statistics": statistics_answer(statistics),
    }


def _errors(session: TraceSession, statistics: SessionStats) -> list[str]:
    """List what went wrong; while it runs, also what is wrong with its exporters now."""
    exporters = statistics.exporters.values() if session.running else ()
    return [error for error in (session.error, *(one.error for one in exporters)) if error]


def _words(arguments: str) -> list[str]:
    try:
        return shlex.split(arguments)
    except ValueError:  # nothing a hook accepted, but a session must always be readable
        return [arguments]


def statistics_answer(stats: SessionStats) -> Json:
    """Write the balance of a session, so that its identities can be checked by anyone.

    Events of calls that have not returned wait for every exporter: they are in `Pending`.
    """
    return {
        "Attributed": stats.attributed,
        "FilteredOut": stats.filtered_out,
        "SampledOut": stats.sampled_out,
        "Passed": stats.passed,
        "Open": stats.open,
        "Spans": stats.spans,
        "IncompleteSpans": stats.incomplete_spans,
        "Exporters": {name: _exporter(one, stats.open) for name, one in stats.exporters.items()},
        "AttributedByCpu": {str(int(cpu)): n for cpu, n in stats.attributed_by_cpu.items()},
        "Source": _source(stats.source),
    }


def _exporter(stats: ExporterStats, waiting: int) -> Json:
    return {
        "Delivered": stats.delivered,
        "Dropped": stats.dropped,
        "Pending": stats.pending + waiting,
        "DeliveredSpans": stats.delivered_spans,
        "DroppedSpans": stats.dropped_spans,
        "PendingSpans": stats.pending_spans,
        "Error": stats.error,
    }


def _source(stats: SourceStats) -> Json:
    return {
        "Recorded": stats.recorded,
        "Attributed": stats.attributed,
        "Unattributed": stats.unattributed,
        "Lost": stats.lost,
        "Malformed": stats.malformed,
        "Pending": stats.pending,
        "Cpus": {
            str(int(one.cpu)): {
                "Recorded": one.recorded,
                "Entries": one.entries,
                "Overrun": one.overrun,
                "Dropped": one.dropped,
                "Read": one.read,
            }
            for one in stats.cpus
        },
    }
