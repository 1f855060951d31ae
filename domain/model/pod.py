"""Pods, containers, and the tasks in them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from attrs import field, frozen

ContainerKey: TypeAlias = tuple[str, str, str, str]
"""What tells containers apart: namespace, pod, name and id."""


@frozen(kw_only=True)
class Task:
    """A kernel thread of the host, as read from procfs.

    `start_time` is in clock ticks since boot (field 22 of `/proc/PID/stat`): together with
    `tid` it stays unique although the kernel uses tids again. `parent` is a pid.
    """

    tid: int
    pid: int
    command: str
    start_time: int = 0
    parent: int = 0


@frozen(kw_only=True)
class Container:
    """An OCI container, or a group of processes that lives in namespaces of its own.

    `parents` are the pids of its first processes: those whose parent is outside of it.
    `tasks` are all threads of all its processes. Both are of the host's pid namespace.
    `cgroups` are the paths of its cgroup as `/proc/PID/cgroup` has them, by hierarchy id;
    empty if it has no cgroup of its own. `pid_namespace` is the inode of its first process's.
    """

    name: str
    pod: str
    container_id: str = ""
    namespace: str = ""
    pod_uid: str = ""
    image: str = ""
    labels: Mapping[str, str] = field(factory=dict)
    runtime: str = ""
    isolated: bool = False
    parents: tuple[int, ...] = ()
    tasks: tuple[int, ...] = ()
    cgroups: Mapping[int, str] = field(factory=dict)
    pid_namespace: int = 0

    @property
    def key(self) -> ContainerKey:
        """What makes it this container, whatever processes run in it."""
        return self.namespace, self.pod, self.name, self.container_id


@frozen(kw_only=True)
class Pod:
    """Containers that belong together; without Kubernetes, a container is a pod of its own.

    One without containers is there, and may bring some. `labels` are None where they are not
    known; those of its containers hold them too. `sandboxes` are the ids of what holds its
    containers together, as far as the runtime says.
    """

    name: str
    namespace: str = ""
    uid: str = ""
    labels: Mapping[str, str] | None = None
    containers: tuple[Container, ...] = ()
    sandboxes: tuple[str, ...] = ()


def pod_of_sandbox(pods: Iterable[Pod], sandbox_id: str) -> Pod | None:
    """Return the pod that a sandbox is of, or None.

    Without Kubernetes, what holds a container has the id of that container.
    """
    for pod in pods:
        if sandbox_id in pod.sandboxes:
            return pod
        if any(one.container_id == sandbox_id for one in pod.containers):
            return pod
    return None


def pod_keys(pods: Iterable[Pod]) -> dict[str, Pod]:
    """Name pods for people: by name, or by `namespace/name` where a name stands twice.

    While a pod is being replaced by one of its name, both are `namespace/name/uid`.
    """
    pods = list(pods)
    names = Counter(pod.name for pod in pods)
    places = Counter((pod.namespace, pod.name) for pod in pods)
    keys: dict[str, Pod] = {}
    for pod in pods:
        place = f"{pod.namespace}/{pod.name}"
        key = place if places[pod.namespace, pod.name] == 1 else f"{place}/{pod.uid}"
        keys[pod.name if names[pod.name] == 1 else key] = pod
    return keys
