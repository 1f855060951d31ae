"""The hook `trace_syscalls`: system calls as spans."""

import fnmatch
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from attrs import frozen

from ..durations import parse_duration_ns
from ..hook import ArgumentParser, HookArgument, TracePlan, shortened
from ..session_request import InvalidArguments
from ..spans import SpanFilter
from ..syscalls import ENTER_PREFIX, EXIT_PREFIX, syscall_names
from ..task_events import TASK_EVENTS

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
        patterns = _patterns(parser, chosen.syscall)
        names = _choose(patterns, syscall_names(events))
        return TracePlan(
            events=_events(names.values(), events),
            spans=SpanFilter(
                names=frozenset(names) if patterns else None,
                min_duration_ns=_duration(parser, "--min-duration", chosen.min_duration),
                errors_only=chosen.errors_only,
            ),
            duration_ns=_duration(parser, "--time", chosen.time),
        )


def _patterns(parser: ArgumentParser, words: Sequence[str]) -> Sequence[str]:
    """Split at commas; words that name nothing are an error, for they would mean everything."""
    patterns = [part for word in words for part in word.split(",") if part]
    if words and not patterns:
        parser.error("argument -s/--syscall: expected the name of a system call")
    return list(dict.fromkeys(patterns))


def _choose(patterns: Sequence[str], known: dict[str, str]) -> dict[str, str]:
    """Return real name and kernel's name of the calls meant; all if there are no patterns."""
    if not patterns:
        return known
    real_names = {kernel: real for real, kernel in known.items()}
    chosen: dict[str, str] = {}
    for pattern in patterns:
        meant = [*fnmatch.filter(known, pattern)]
        meant += [real_names[kernel] for kernel in fnmatch.filter(real_names, pattern)]
        found = {real: known[real] for real in meant}
        if known and not found:
            raise InvalidArguments(_unknown(pattern, known))
        chosen |= found
    return chosen


def _unknown(pattern: str, known: dict[str, str]) -> str:
    near = get_close_matches(pattern.lower(), known, n=3)
    hint = f"; did you mean {', '.join(near)}?" if near else "; see syscalls(2)."
    return f"This kernel has no system call {shortened(repr(pattern))}{hint}"


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
