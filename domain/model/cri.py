"""What a container runtime answers through the CRI, and which pods that makes.

The values mirror messages of `runtime.v1` (k8s.io/cri-api, api.proto); the names of Kubernetes are
in their metadata, as the kubelet gave them. What a runtime's own JSON adds is in `CriDetails`.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import IntEnum

from attrs import field, frozen

from .kata import has_kata_notes, is_kata_handler, is_kata_type
from .pod import Container, Pod

_CRIO_HANDLER = "io.kubernetes.cri-o.RuntimeHandler"
_PLAIN_HANDLERS = ("runc", "crun", "youki")


class CriState(IntEnum):
    """`ContainerState` of api.proto."""

    CREATED = 0
    RUNNING = 1
    EXITED = 2
    UNKNOWN = 3


@frozen(kw_only=True)
class CriSandbox:
    """A `PodSandbox`. `handler` is empty for the runtime's default one."""

    sandbox_id: str
    name: str
    namespace: str = ""
    uid: str = ""
    ready: bool = True
    created_ns: int = 0
    handler: str = ""
    labels: Mapping[str, str] = field(factory=dict)
    annotations: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class CriContainer:
    """A `Container`. `image` is what the kubelet asked for, mostly a digest."""

    container_id: str
    sandbox_id: str
    name: str
    image: str = ""
    state: CriState = CriState.RUNNING
    created_ns: int = 0
    labels: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class CriDetails:
    """What the verbose status of a container adds.

    `pid` is that of its first process, in the runtime's pid namespace: 0 if it has none now, None
    if the runtime does not say. `handler` and `runtime_type` are empty where it does not say.
    """

    pid: int | None = None
    image: str = ""
    handler: str = ""
    runtime_type: str = ""
    kata_notes: bool = False


def read_details(info: Mapping[str, str], *, image: str = "") -> CriDetails:
    """Read `ContainerStatusResponse.info`; whatever cannot be read says nothing.

    containerd, CRI-O and cri-dockerd all have one key `info` there, with a JSON object: `pid` in
    all of them, `runtimeSpec` in the first two, `runtimeType` in containerd's. `image` is that
    of the status beside it, a name for people where there is one.
    """
    whole = _object(_parsed(info.get("info", "")))
    notes = _texts(_object(whole.get("runtimeSpec")).get("annotations"))
    runtime_type = whole.get("runtimeType")
    return CriDetails(
        pid=_pid(whole["pid"]) if "pid" in whole else None,
        image=image,
        handler=notes.get(_CRIO_HANDLER, ""),
        runtime_type=runtime_type if isinstance(runtime_type, str) else "",
        kata_notes=has_kata_notes(notes),
    )


def cri_pods(
    sandboxes: Iterable[CriSandbox],
    containers: Iterable[CriContainer],
    details: Mapping[str, CriDetails],
    *,
    runtime: str = "",
) -> tuple[Pod, ...]:
    """Put pods together, oldest first, with the containers that run; `details` are by id.

    A pod is there while it has a sandbox that is ready, or a container that runs. One that was
    given a new sandbox is still one pod. `runtime` is the runtime's own name.
    """
    by_id = {one.sandbox_id: one for one in sandboxes}
    running = [
        one
        for one in sorted(containers, key=_age)
        if one.sandbox_id in by_id and _runs(one, details.get(one.container_id))
    ]
    isolated = _sharing_one_pid(running, details)
    oldest_first = sorted(by_id.values(), key=_sandbox_age)
    labels = {_pod_key(one): one.labels for one in oldest_first}
    sandbox_ids: dict[tuple[str, str, str], list[str]] = {}
    for sandbox in oldest_first:
        sandbox_ids.setdefault(_pod_key(sandbox), []).append(sandbox.sandbox_id)
    members: dict[tuple[str, str, str], list[Container]] = {
        _pod_key(one): [] for one in oldest_first if one.ready
    }
    for one in running:
        sandbox, known = by_id[one.sandbox_id], details[one.container_id]
        made = cri_container(
            one, sandbox, known, runtime=runtime, isolated=one.container_id in isolated
        )
        members.setdefault(_pod_key(sandbox), []).append(made)
    return tuple(
        Pod(
            name=name,
            namespace=namespace,
            uid=uid,
            labels=labels[namespace, name, uid],
            containers=tuple(inside),
            sandboxes=tuple(sandbox_ids[namespace, name, uid]),
        )
        for (namespace, name, uid), inside in members.items()
    )


def cri_container(
    container: CriContainer,
    sandbox: CriSandbox,
    details: CriDetails,
    *,
    runtime: str = "",
    isolated: bool = False,
) -> Container:
    """Say all that is known of a container, in whatever state it is.

    Its labels are those of its pod, by which people select, and its own where the pod has none of
    that name. `isolated` says that more than its own details speak for a virtual machine.
    """
    handler = sandbox.handler or details.handler
    return Container(
        name=container.name,
        pod=sandbox.name,
        container_id=container.container_id,
        namespace=sandbox.namespace,
        pod_uid=sandbox.uid,
        image=details.image or container.image,
        labels={**container.labels, **sandbox.labels},
        runtime=handler or runtime,
        isolated=isolated or _in_vm(handler, sandbox, details),
        parents=(details.pid,) if details.pid else (),
    )


def _runs(container: CriContainer, details: CriDetails | None) -> bool:
    """Tell whether it has a process: pid 0 is the kernel's idle task, and nobody's."""
    return container.state is CriState.RUNNING and details is not None and bool(details.pid)


def _in_vm(handler: str, sandbox: CriSandbox, details: CriDetails) -> bool:
    """Decide by what the runtime says, and only if that says nothing by what others wrote."""
    if is_kata_handler(handler) or is_kata_type(details.runtime_type):
        return True
    if details.runtime_type or handler in _PLAIN_HANDLERS:
        return False
    return details.kata_notes or has_kata_notes(sandbox.annotations)


def _sharing_one_pid(
    running: Iterable[CriContainer], details: Mapping[str, CriDetails]
) -> frozenset[str]:
    """Find containers of one pod that have one pid: it is their virtual machine's."""
    pids = {one.container_id: (one.sandbox_id, details[one.container_id].pid) for one in running}
    count = Counter(pids.values())
    return frozenset(identity for identity, pid in pids.items() if count[pid] > 1)


def _pod_key(sandbox: CriSandbox) -> tuple[str, str, str]:
    return sandbox.namespace, sandbox.name, sandbox.uid


def _age(container: CriContainer) -> tuple[int, str]:
    return container.created_ns, container.container_id


def _sandbox_age(sandbox: CriSandbox) -> tuple[int, str]:
    return sandbox.created_ns, sandbox.sandbox_id


def _parsed(document: str) -> object:
    try:
        return json.loads(document)
    except (ValueError, RecursionError):
        return None


def _object(found: object) -> Mapping[str, object]:
    return found if isinstance(found, dict) else {}


def _texts(found: object) -> dict[str, str]:
    pairs = _object(found).items()
    return {key: value for key, value in pairs if isinstance(value, str)}


def _pid(found: object) -> int:
    """Take a pid; what can be none is as good as 0."""
    return found if type(found) is int and found > 0 else 0
