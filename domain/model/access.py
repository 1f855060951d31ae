"""Who may do what: identities, what they may do, and what becomes of what they ask for.

Hooks and namespaces are named by patterns in which `*` stands for any text and `?` for any
character. A container outside of Kubernetes has no namespace, which is the empty name: only `*`
allows it.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TypeAlias

from attrs import evolve, field, frozen

from .errors import RequestError
from .selector import ContainerSelector

Patterns: TypeAlias = tuple[str, ...]

EVERYTHING: Patterns = ("*",)


class Unauthenticated(RequestError):
    """Nobody is known by what a request has to show for itself."""


class Forbidden(RequestError):
    """Whoever asks is known, but may not do that; the sentence says what is missing."""


class Action(StrEnum):
    """What can be done to trace sessions; looking at pods is to `GET` too."""

    GET = "get"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@frozen(kw_only=True)
class Identity:
    """Somebody who asks. `uid`, `groups` and `extra` are what Kubernetes knows of a user."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(factory=dict, hash=False)


@frozen(kw_only=True)
class AccessQuestion:
    """What is to be found out about somebody: an action, and the names that it is about.

    `hooks` and `namespaces` are names, not patterns. Those that are not asked for may be missing
    in the answer, unless everything is allowed.
    """

    action: Action
    hooks: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()


@frozen(kw_only=True)
class Rights:
    """What somebody may do: one action, with which hooks, in which namespaces."""

    action: Action
    hooks: Patterns = ()
    namespaces: Patterns = ()

    def check_hook(self, hook: str) -> None:
        """Raise `Forbidden` if the hook is not allowed."""
        if reason := self.refusal_of(hook):
            raise Forbidden(reason)

    def refusal_of(self, hook: str) -> str:
        """Say why the hook is not allowed, or return the empty string."""
        if allows(self.hooks, hook):
            return ""
        return f"You may not use hook {hook!r}; you may use: {_listed(self.hooks)}."

    def check_namespace(self, selector: ContainerSelector) -> None:
        """Raise `Forbidden` if a selection names a namespace, in full, that is not allowed."""
        named = exact_namespace(selector)
        if named is not None and not allows(self.namespaces, named):
            raise Forbidden(
                f"You may not {self._what} in namespace {named!r};"
                f" you may in: {_listed(self.namespaces)}."
            )

    def narrow(self, selector: ContainerSelector) -> ContainerSelector:
        """Keep a selection to the namespaces that are allowed; raise `Forbidden`.

        It stays so: what begins later in another namespace will not match it.
        """
        self.check_namespace(selector)
        return evolve(selector, within=self.namespaces)

    def cover(self, hook: str, selector: ContainerSelector) -> bool:
        """Tell whether all that a session of this hook and selection may show is allowed."""
        return allows(self.hooks, hook) and (
            covers(self.namespaces, selector.namespace_pattern)
            or all(covers(self.namespaces, one) for one in selector.within)
        )

    @property
    def _what(self) -> str:
        return f"{self.action} trace sessions"


def unlimited(action: Action) -> Rights:
    """Allow an action with every hook, everywhere."""
    return Rights(action=action, hooks=EVERYTHING, namespaces=EVERYTHING)


def allows(patterns: Patterns, name: str) -> bool:
    """Tell whether one of the patterns matches a name."""
    return any(fnmatchcase(name, one) for one in patterns)


def covers(patterns: Patterns, other: str) -> bool:
    """Tell whether one of the patterns matches every name that another pattern matches.

    It says no where that is not plain to see.
    """
    return any(_covers(one, other) for one in patterns)


def _covers(pattern: str, other: str) -> bool:
    if pattern in ("*", other):
        return True
    if not is_pattern(other):
        return fnmatchcase(other, pattern)
    # Whatever `*` and `?` of the other stand for, a `*` of this one that takes them takes that.
    return not set("?[") & set(pattern) and "[" not in other and fnmatchcase(other, pattern)


def allows_all(patterns: Patterns) -> bool:
    """Tell whether every name is allowed, whatever it is."""
    return covers(patterns, "*")


def is_pattern(text: str) -> bool:
    """Tell whether a text may match anything but itself."""
    return bool(set("*?[") & set(text))


def exact_namespace(selector: ContainerSelector) -> str | None:
    """Return the namespace that a selection names in full; None if it leaves a choice."""
    named = selector.namespace_pattern
    return None if is_pattern(named) else named


def namespaces_in_question(selector: ContainerSelector, known: Iterable[str]) -> frozenset[str]:
    """Return the names of namespaces that a selection may mean, of those that are known.

    One that is named in full need not be known yet.
    """
    named = exact_namespace(selector)
    if named is not None:
        return frozenset({named})
    pattern = selector.namespace_pattern
    return frozenset(one for one in known if one and fnmatchcase(one, pattern))


def namespaces_of_session(selector: ContainerSelector) -> frozenset[str]:
    """Return the names of namespaces that must be allowed to see a session of a selection.

    Patterns are left out: only who is allowed as much, or everything, covers them.
    """
    named = (selector.namespace_pattern, *selector.within)
    return frozenset(one for one in named if not is_pattern(one))


def _listed(patterns: Patterns) -> str:
    return ", ".join(sorted(patterns)) or "none"
