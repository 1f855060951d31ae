"""The hook `trace_syscalls`: system calls as spans."""

from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase

from attrs import frozen

from ..durations import parse_duration_ns
from ..hook import ArgumentParser, HookArgument, InvalidArguments, TracePlan
from ..spans import SpanFilter
from ..syscalls import ENTER_PREFIX, EXIT_PREFIX, syscall_names
from ..tasks import TASK_EVENTS

_ARGUMENTS = (
    HookArgument(
        flags=("-s", "--syscall"),
        value="NAME...",
        description="only these system calls; shell wildcards and commas are fine (default: all)",
    ),
    HookArgument(flags=("-t", "--time"), value="MS", description="end after so many milliseconds"),
    HookArgument(
        flags=("--min-duration",),
        value="DURATION",
        description="only calls that took at least this long: 500us, 10ms, 1s; a number is ms",
    ),
    HookArgument(flags=("--errors-only",), value="", description="only calls that failed"),
)


@frozen
class TraceSyscalls:
    """Records the entry and the return of system calls, and makes a span of each pair."""

    name: str = "trace_syscalls"
    group: str = "ftrace"
    description: tuple[str, ...] = (
        "System calls as spans: name, arguments, result, errno and duration.",
        "Example: -s openat read --min-duration 1ms",
    )
    arguments: tuple[HookArgument, ...] = _ARGUMENTS

    def unavailable(self, events: frozenset[str]) -> str:
        """Need the events of system calls and of tasks."""
        if not syscall_names(events):
            return "This kernel has no events for system calls (CONFIG_FTRACE_SYSCALLS)."
        if missing := set(TASK_EVENTS) - events:
            return f"This kernel lacks events: {', '.join(sorted(missing))}."
        return ""

    def plan(self, arguments: str, events: frozenset[str]) -> TracePlan:
        """Switch on what is asked for; raise `InvalidArguments`."""
        parser = ArgumentParser(self.name, self.arguments)
        parser.add_argument("-s", "--syscall", nargs="+", action="extend", default=[])
        parser.add_argument("-t", "--time", default="0")
        parser.add_argument("--min-duration", default="0")
        parser.add_argument("--errors-only", action="store_true")
        chosen = parser.parse_words(arguments)
        names = _choose(chosen.syscall, syscall_names(events))
        return TracePlan(
            events=_events(names.values(), events),
            spans=SpanFilter(
                names=frozenset(names) if chosen.syscall else None,
                min_duration_ns=_duration(parser, "--min-duration", chosen.min_duration),
                errors_only=chosen.errors_only,
            ),
            duration_ns=_duration(parser, "--time", chosen.time),
        )


def _choose(words: Iterable[str], known: dict[str, str]) -> dict[str, str]:
    """Return real name and kernel's name of the calls meant; all if there are no words."""
    patterns = [part for word in words for part in word.split(",") if part]
    if not patterns:
        return known
    chosen: dict[str, str] = {}
    for pattern in patterns:
        found = {
            real: kernel
            for real, kernel in known.items()
            if fnmatchcase(real, pattern) or fnmatchcase(kernel, pattern)
        }
        if known and not found:
            raise InvalidArguments(_unknown(pattern, known))
        chosen |= found
    return chosen


def _unknown(pattern: str, known: dict[str, str]) -> str:
    near = get_close_matches(pattern, known, n=3)
    hint = f"; did you mean {', '.join(near)}?" if near else "; see syscalls(2)."
    return f"This kernel has no system call {pattern!r}{hint}"


def _events(kernel_names: Iterable[str], known: frozenset[str]) -> frozenset[str]:
    """Name the events of the calls; of all calls, every event of the system."""
    wanted = {prefix + name for name in kernel_names for prefix in (ENTER_PREFIX, EXIT_PREFIX)}
    every = {name for name in known if name.startswith((ENTER_PREFIX, EXIT_PREFIX))}
    return frozenset(wanted & every)


def _duration(parser: ArgumentParser, flag: str, text: str) -> int:
    try:
        return parse_duration_ns(text, "ms")
    except ValueError as error:
        parser.error(f"{flag}: {error}")
