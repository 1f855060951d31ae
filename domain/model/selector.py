"""How a user's words select some of the containers that run."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from attrs import field, frozen

from .errors import RequestError
from .labels import LabelSelector, label_selector
from .pod import Container, Pod

_CHARACTER_SET = re.compile(r"\[!?+\]?+[^]]*\]")

_KUBELET_LABELS = "io.kubernetes."
"""What the labels begin with that a container has and its pod has not."""


class NoMatchingContainer(RequestError):
    """A selection is well formed, but nothing that runs here matches it."""


class InvalidSelector(RequestError):
    """A selection cannot be read."""


def _or_any(pattern: str) -> str:
    """Take an empty pattern for one that leaves the choice open."""
    return pattern or "*"


@frozen
class ContainerSelector:
    """Shell wildcards for pod and container, and optionally a namespace and labels.

    `pod` may be `namespace/pod`. An empty pattern means `*`. `labels` may be given as a text that
    `label_selector` reads, or as exact labels. `within` are patterns of which the namespace must
    match one, whatever else is asked for: the limits of whoever selects.
    """

    pod: str = field(default="*", converter=_or_any)
    container: str = field(default="*", converter=_or_any)
    namespace: str = field(default="*", converter=_or_any)
    labels: LabelSelector = field(factory=LabelSelector, converter=label_selector)
    within: tuple[str, ...] = ("*",)

    def __attrs_post_init__(self) -> None:
        """Refuse patterns that could never match, rather than silently match nothing."""
        if self.pod.count("/") > 1:
            raise InvalidSelector(f"Pod {self.pod!r} has more than one '/'; write NAMESPACE/POD.")
        if "/" in self.pod and self.namespace not in ("*", self.pod.split("/")[0]):
            raise InvalidSelector(
                f"Pod {self.pod!r} names one namespace and 'namespace' another; give only one."
            )
        if "/" in self.namespace:
            raise InvalidSelector(f"Namespace {self.namespace!r} has a '/'; no namespace has one.")
        for part in self.pod.split("/"):
            check_wildcard("pod", part)
        check_wildcard("container", self.container)
        check_wildcard("namespace", self.namespace)

    @property
    def place(self) -> str:
        """Say which pods are named: `namespace/pod`, or `pod` where the namespace is open."""
        return self.pod if self.namespace == "*" else f"{self.namespace}/{self._pod}"

    @property
    def namespace_pattern(self) -> str:
        """The pattern of namespaces that was asked for, wherever it was written."""
        return self.pod.rpartition("/")[0] or self.namespace

    @property
    def limited(self) -> bool:
        """Tell whether not every namespace is allowed."""
        return "*" not in self.within

    def matches(self, container: Container) -> bool:
        """Tell whether the container is meant."""
        return (
            self._names_pod(container.namespace, container.pod)
            and fnmatchcase(container.name, self.container)
            and self.labels.matches(container.labels)
        )

    def could_match_pod(self, pod: Pod) -> bool:
        """Tell whether a container of the pod may be meant, be it there now or yet to come.

        What cannot be known of a pod, the names of its containers for one, speaks for it.
        """
        if not self._names_pod(pod.namespace, pod.name):
            return False
        return pod.labels is None or all(
            one.matches(pod.labels)
            for one in self.labels.requirements
            if not one.key.startswith(_KUBELET_LABELS)
        )

    def matching(self, pods: Iterable[Pod]) -> tuple[Container, ...]:
        """Return the containers meant, of which there may be none."""
        return tuple(one for pod in pods for one in pod.containers if self.matches(one))

    def select(self, pods: Iterable[Pod]) -> tuple[Container, ...]:
        """Return the containers meant; raise `NoMatchingContainer` if there is none."""
        chosen = self.matching(pods)
        if not chosen:
            raise NoMatchingContainer(
                f"No running container matches {self}; GET /v1/pods lists what there is."
            )
        return chosen

    def __str__(self) -> str:
        """Say what is selected, for a sentence: `pod 'web-*', container '*', labels 'app=web'`."""
        namespace = "" if self.namespace == "*" else f", namespace {self.namespace!r}"
        labels = f", labels {str(self.labels)!r}" if self.labels.requirements else ""
        limits = f", within what you may trace ({', '.join(self.within)})" if self.limited else ""
        return f"pod {self.pod!r}, container {self.container!r}{namespace}{labels}{limits}"

    def _names_pod(self, namespace: str, name: str) -> bool:
        return (
            fnmatchcase(name, self._pod)
            and fnmatchcase(namespace, self.namespace_pattern)
            and any(fnmatchcase(namespace, one) for one in self.within)
        )

    @property
    def _pod(self) -> str:
        return self.pod.rpartition("/")[2]


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
