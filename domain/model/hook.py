"""Trace hooks: recipes that turn a user's arguments into a plan for this kernel."""

import argparse
import shlex
from collections.abc import Mapping, Sequence
from typing import NoReturn, Protocol

from attrs import field, frozen

from .quoting import printable
from .session_request import InvalidArguments, UnknownHook
from .spans import SpanFilter

LONGEST_ARGUMENTS = 8192
"""In characters: enough to name every system call there is."""

_SHOWN = 200
"""So much of a complaint may be the client's own words."""


@frozen(kw_only=True)
class HookArgument:
    """One option a hook takes, as a person reads about it."""

    flags: tuple[str, ...]
    value: str
    description: str


@frozen(kw_only=True)
class TracePlan:
    """A hook with its arguments, worked out for this kernel.

    `events` are names (`system:event`) that must be on in the session's source; `spans` says
    which spans are the session's; `duration_ns` ends it (0: never).
    """

    events: frozenset[str]
    spans: SpanFilter = field(factory=SpanFilter)
    duration_ns: int = 0


class TraceHook(Protocol):
    """A recipe: what to record, and what to show of it."""

    @property
    def name(self) -> str:
        """What a request calls it."""

    @property
    def group(self) -> str:
        """Which hooks it is listed with."""

    @property
    def description(self) -> tuple[str, ...]:
        """Lines for a person."""

    @property
    def arguments(self) -> tuple[HookArgument, ...]:
        """The options it takes."""

    def unavailable(self, events: frozenset[str]) -> str:
        """Say why a kernel with these events cannot do it, or return the empty string."""

    def plan(self, arguments: str, events: frozenset[str]) -> TracePlan:
        """Work the user's words out for a kernel with these events; raise `InvalidArguments`."""


class ArgumentParser(argparse.ArgumentParser):
    """argparse for arguments that come from a client: it raises, and never prints or exits."""

    def __init__(self, hook: str, arguments: Sequence[HookArgument]) -> None:
        """Prepare for a hook; its `arguments` are named in every complaint."""
        super().__init__(prog=hook, add_help=False, allow_abbrev=False)
        self._known = arguments

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        usage = "; ".join(f"{'/'.join(a.flags)} {a.value}".strip() for a in self._known)
        complaint = shortened(printable(message))
        raise InvalidArguments(f"{self.prog}: {complaint}. It takes: {usage}.")

    def parse_words(self, text: str) -> argparse.Namespace:
        """Split as a POSIX shell would, then parse."""
        if len(text) > LONGEST_ARGUMENTS:
            self.error(f"arguments have at most {LONGEST_ARGUMENTS} characters, not {len(text)}")
        if not text.replace("\t", " ").isprintable():
            self.error(f"arguments cannot have control characters, as in {shortened(repr(text))}")
        try:
            words = shlex.split(text)
        except ValueError as error:
            self.error(f"cannot split the arguments into words: {str(error).lower()}")
        if "--" in words:
            self.error("unrecognized arguments: --")
        return self.parse_args(words)


def shortened(text: str) -> str:
    """Cut long text, so that an answer stays one a person reads."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


@frozen
class HookCatalogue:
    """All hooks of this program, by name, with the events this kernel has.

    `reason` says why the kernel cannot be traced at all; it then holds for every hook.
    """

    hooks: Mapping[str, TraceHook]
    events: frozenset[str] = frozenset()
    reason: str = ""

    def find(self, name: str) -> TraceHook:
        """Return the hook of that name; raise `UnknownHook` with the names there are."""
        if name not in self.hooks:
            raise UnknownHook(
                f"There is no trace hook {name!r}; there are: {', '.join(sorted(self.hooks))}."
            )
        return self.hooks[name]

    def unavailable(self, hook: TraceHook) -> str:
        """Say why the hook cannot run here, or return the empty string."""
        return self.reason or hook.unavailable(self.events)
