"""Pods, containers, the tasks in them, and how a user's words select some of them."""

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from attrs import field, frozen

from .errors import RequestError

_CHARACTER_SET = re.compile(r"\[!?+\]?+[^]]*\]")


class NoMatchingContainer(RequestError):
    """A selection is well formed, but nothing that runs here matches it."""


class InvalidSelector(RequestError):
    """A selection cannot be read."""


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
    def key(self) -> tuple[str, str, str, str]:
        """What makes it this container, whatever processes run in it."""
        return self.namespace, self.pod, self.name, self.container_id


@frozen(kw_only=True)
class Pod:
    """Containers that belong together; without Kubernetes, a container is a pod of its own.

    One without containers is there, and may bring some.
    """

    name: str
    namespace: str = ""
    uid: str = ""
    containers: tuple[Container, ...] = ()


def _or_any(pattern: str) -> str:
    """Take an empty pattern for one that leaves the choice open."""
    return pattern or "*"


def pod_keys(pods: Iterable[Pod]) -> dict[str, Pod]:
    """Name pods for people: by name, or by `namespace/name` where a name stands twice."""
    pods = list(pods)
    names = [pod.name for pod in pods]
    return {
        pod.name if names.count(pod.name) == 1 else f"{pod.namespace}/{pod.name}": pod
        for pod in pods
    }


@frozen
class ContainerSelector:
    """Shell wildcards for pod and container, and optionally a namespace and exact labels.

    `pod` may be `namespace/pod`. An empty pattern means `*`.
    """

    pod: str = field(default="*", converter=_or_any)
    container: str = field(default="*", converter=_or_any)
    namespace: str = field(default="*", converter=_or_any)
    labels: Mapping[str, str] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        """Refuse patterns that could never match, rather than silently match nothing."""
        if self.pod.count("/") > 1:
            raise InvalidSelector(f"Pod {self.pod!r} has more than one '/'; write NAMESPACE/POD.")
        if "/" in self.pod and self.namespace not in ("*", self.pod.split("/")[0]):
            raise InvalidSelector(
                f"Pod {self.pod!r} names one namespace and 'namespace' another; give only one."
            )
        for what, pattern in (
            ("pod", self.pod),
            ("container", self.container),
            ("namespace", self.namespace),
        ):
            check_wildcard(what, pattern)

    def matches(self, container: Container) -> bool:
        """Tell whether the container is meant."""
        namespace, _, pod = self.pod.rpartition("/")
        return (
            fnmatchcase(container.pod, pod)
            and fnmatchcase(container.namespace, namespace or self.namespace)
            and fnmatchcase(container.name, self.container)
            and all(container.labels.get(key) == value for key, value in self.labels.items())
        )

    def select(self, pods: Iterable[Pod]) -> tuple[Container, ...]:
        """Return the containers meant; raise `NoMatchingContainer` if there is none."""
        chosen = tuple(c for pod in pods for c in pod.containers if self.matches(c))
        if not chosen:
            raise NoMatchingContainer(
                f"No running container matches pod {self.pod!r}, container {self.container!r}"
                f"{'' if self.namespace == '*' else f', namespace {self.namespace!r}'}"
                f"{f', labels {dict(self.labels)}' if self.labels else ''};"
                " GET /v1/pods lists what there is."
            )
        return chosen


def check_wildcard(what: str, pattern: str) -> None:
    """Refuse a shell pattern with an unclosed `[`, or with unprintable characters.

    A `]` right after the `[`, or after `[!`, stands for itself, as in every shell.
    """
    if not pattern.isprintable():
        raise InvalidSelector(f"The {what} pattern {pattern!r} has unprintable characters.")
    if "[" in _CHARACTER_SET.sub("", pattern):
        raise InvalidSelector(
            f"The {what} pattern {pattern!r} has a '[' that no ']' closes around characters."
        )
