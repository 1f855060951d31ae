"""What to trace, as it is typed: `[NAMESPACE/]POD [CONTAINER] HOOK [-- ARGUMENTS]`."""

import argparse
import shlex
from collections.abc import Collection, Sequence

from attrs import evolve

from ...client import TraceRequest
from ...domain.model.durations import parse_duration_ns
from .command import Invocation, UsageError

MAX_EVENTS = 2**63 - 1


def add_request_options(parser: argparse.ArgumentParser) -> None:
    """Add what a session can be told beside its target."""
    parser.add_argument(
        "--duration", metavar="TIME", type=_duration, help="end after this long: 10s, 500ms, 2m"
    )
    parser.add_argument(
        "--max-events", metavar="N", type=count, help="end after so many spans were shown"
    )
    parser.add_argument(
        "--exporter",
        metavar="NAME",
        action="append",
        help="also send spans there, such as otlp or file; repeatable",
    )
    parser.add_argument(
        "--context", metavar="TEXT", default="", help="your own words, kept with the session"
    )


def trace_request(invocation: Invocation, words: Sequence[str]) -> TraceRequest:
    """Read the words of `trace`; the last is the hook. Raise `UsageError`."""
    if not 2 <= len(words) <= 3:  # noqa: PLR2004 - POD HOOK, or POD CONTAINER HOOK
        raise UsageError(
            "Say what to trace: [NAMESPACE/]POD [CONTAINER] HOOK, such as 'web trace_syscalls';"
            " the hook's arguments stand behind --."
        )
    *places, hook = words
    return _request(invocation, places, hook)


def top_request(
    invocation: Invocation, words: Sequence[str], hooks: Collection[str], *, usual: str
) -> TraceRequest:
    """Read the words of `top`: the last is the hook if there is one of that name."""
    *places, hook = words if words and words[-1] in hooks else (*words, usual)
    if len(places) > 2:  # noqa: PLR2004 - POD CONTAINER
        raise UsageError(f"There is no hook {words[-1]!r}; there are: {', '.join(sorted(hooks))}.")
    return _request(invocation, places, hook)


def _request(invocation: Invocation, places: Sequence[str], hook: str) -> TraceRequest:
    options = invocation.options
    pod, container = (*places, "", "")[:2]
    return TraceRequest(
        pod=pod,
        container=container,
        hook=hook,
        arguments=shlex.join(invocation.hook_arguments),
        context=options.context,
        duration=options.duration,
        max_events=options.max_events,
        exporters=tuple(options.exporter or ()),
    )


def with_exporters_of_node(request: TraceRequest) -> TraceRequest:
    """Let the node choose where spans go, unless somebody has chosen."""
    return request if request.exporters else evolve(request, exporters=None)


def _duration(text: str) -> str:
    try:
        nanoseconds = parse_duration_ns(text, "s")
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if not nanoseconds:
        raise argparse.ArgumentTypeError(f"{text!r} is no time at all")
    return text


def count(text: str) -> int:
    """Read a number of spans, or of tables."""
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MAX_EVENTS):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {MAX_EVENTS}")
    return int(text)
