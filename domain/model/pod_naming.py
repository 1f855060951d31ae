"""Groups of processes, and what is known of them, become pods with names.

Names come from documents of the host where it has them. Else a pod is called by its host name,
or by the start of its uid or container id, and a container by the start of its id, or by its
first command where it has none. Host names are under the control of the container: they are
names for people, never a proof of who it is.

A name that stands twice (a container in its pod, a pod in its namespace) stays with the oldest;
the others get a dash and the start of their id, or the number of their kernel namespace.
"""

from collections.abc import Iterable, Sequence

from attrs import evolve, field, frozen

from .cgroup import container_of
from .container_names import ContainerNames, first_said
from .pod import Container, Pod
from .process import ProcessGroup, key_without_cgroup

SHORT_ID = 12  # characters, as docker and crictl print them


@frozen(kw_only=True)
class FoundContainer:
    """A group of processes with what could be learned about it.

    `tasks` are the tids of its processes; `host_name` is empty where it is the host's own.
    """

    group: ProcessGroup
    names: ContainerNames = field(factory=ContainerNames)
    tasks: tuple[int, ...] = ()
    pid_namespace: int = 0
    host_name: str = ""

    @property
    def isolated(self) -> bool:
        """Tell whether its processes run in a virtual machine."""
        return self.names.vm or self.group.isolated

    @property
    def pod_uid(self) -> str:
        """Return the uid of its Kubernetes pod; empty without Kubernetes."""
        return self.names.pod_uid or (self.group.cgroup.pod_uid if self.group.cgroup else "")

    @property
    def pod_key(self) -> str:
        """What all containers of its pod have in common."""
        return self.pod_uid or self.group.key


def pods_of(found: Iterable[FoundContainer]) -> tuple[Pod, ...]:
    """Turn containers, oldest first, into pods; the sandboxes of Kubernetes are left out."""
    by_pod: dict[str, list[FoundContainer]] = {}
    for one in found:
        by_pod.setdefault(one.pod_key, []).append(one)
    pods: list[Pod] = []
    taken: set[tuple[str, str]] = set()
    for members in by_pod.values():
        sandbox = sandbox_of(members)
        shown = [one for one in members if one is not sandbox and not _said_sandbox(one)]
        if shown:
            pods.append(_pod(members, shown, taken))
    return tuple(pods)


def sandbox_of(pod: Sequence[FoundContainer]) -> FoundContainer | None:
    """Find the container of a pod, oldest first, that only holds its namespaces.

    It is the one the runtime's annotations call so. If they say of none, it is the oldest whose
    single process is `pause`, in a Kubernetes pod that has another container; a younger one is
    somebody's workload. The virtual machine of a pod stands for its containers and is shown.
    """
    said = [one for one in pod if _said_sandbox(one)]
    if said or len(pod) == 1 or not pod[0].pod_uid:
        return said[0] if said else None
    pauses = (
        one
        for one in pod
        if not one.names.kind
        and not one.isolated
        and [process.stat.command for process in one.group.processes] == ["pause"]
    )
    return next(pauses, None)


def described(container_id: str, names: ContainerNames) -> Container | None:
    """Turn what documents say into a container of which no process is known yet.

    None, if it is a sandbox, or if it would get a name from its processes.
    """
    pod = names.pod or ("" if names.pod_uid else names.container)
    if names.kind == "sandbox" or not names.container or not pod:
        return None
    return Container(
        name=names.container,
        pod=pod,
        container_id=container_id,
        namespace=names.namespace,
        pod_uid=names.pod_uid,
        image=names.image,
        labels=names.labels,
        runtime=names.runtime,
        isolated=names.vm,
    )


def group_key_of(container: Container) -> str:
    """Return the key of the group of processes that a container was made of."""
    cgroups = (container_of(path) for path in container.cgroups.values())
    cgroup = next((one for one in cgroups if one), None)
    if cgroup:
        return cgroup.key
    return key_without_cgroup(container.container_id, isolated=container.isolated)


def _said_sandbox(one: FoundContainer) -> bool:
    return one.names.kind == "sandbox" and not one.isolated


def _pod(
    members: Sequence[FoundContainer],
    shown: Sequence[FoundContainer],
    taken: set[tuple[str, str]],
) -> Pod:
    known = first_said(one.names for one in members)
    namespace, uid = known.namespace, members[0].pod_uid
    pod_name = known.pod or _pod_fallback(members, uid)
    if (namespace, pod_name) in taken:
        pod_name = f"{pod_name}-{_short(uid or members[0].group.container_id)}"
    taken.add((namespace, pod_name))
    containers: dict[str, Container] = {}
    for one in shown:
        container = evolve(_container(one), pod=pod_name, namespace=namespace, pod_uid=uid)
        if container.name in containers:
            container = evolve(container, name=f"{container.name}-{_short(one.group.container_id)}")
        containers[container.name] = container
    return Pod(name=pod_name, namespace=namespace, uid=uid, containers=tuple(containers.values()))


def _pod_fallback(members: Sequence[FoundContainer], uid: str) -> str:
    host_name = next((one.host_name for one in members if one.host_name), "")
    if uid:
        return host_name or _short(uid)
    only = members[0]
    if only.group.cgroup or only.group.isolated:
        own_name = only.names.container or (only.group.cgroup.name if only.group.cgroup else "")
        return own_name or host_name or _short(only.group.container_id)
    return host_name or f"{_command(only)}-{_short(only.group.container_id)}"


def _container(one: FoundContainer) -> Container:
    cgroup = one.group.cgroup
    return Container(
        name=one.names.container or _container_fallback(one),
        pod="",
        container_id=one.group.container_id,
        image=one.names.image,
        labels=one.names.labels,
        runtime=one.names.runtime or (cgroup.runtime if cgroup else _runtime(one)),
        isolated=one.isolated,
        parents=one.group.parents,
        tasks=one.tasks,
        cgroups=one.group.first.membership.container_paths,
        pid_namespace=one.pid_namespace,
    )


def _container_fallback(one: FoundContainer) -> str:
    if one.group.cgroup:
        return one.group.cgroup.name or _short(one.group.container_id)
    return _short(one.group.container_id) if one.group.isolated else _command(one)


def _runtime(one: FoundContainer) -> str:
    return "kata" if one.group.isolated else ""


def _command(one: FoundContainer) -> str:
    # A slash would read as NAMESPACE/POD where people select.
    printable = "".join(c if c.isprintable() else "?" for c in one.group.first.stat.command)
    return printable.replace("/", "-")


def _short(identity: str) -> str:
    """Shorten an id; a kernel namespace such as `pid:4026532179` becomes its number."""
    kind, separator, number = identity.partition(":")
    return number if separator and kind in ("pid", "mnt") else identity[:SHORT_ID]
