"""What to trace, as it is typed: `[NAMESPACE/]POD [CONTAINER] HOOK [-- ARGUMENTS]`."""

import argparse
import shlex
from collections.abc import Collection, Sequence

from attrs import evolve

from ...client import TraceRequest
from ...domain.model.durations import parse_duration_ns
from ...domain.model.errors import RequestError
from ...domain.model.labels import InvalidLabels, label_selector
from ...domain.model.sampling import SampleRate
from ...domain.model.selector import ContainerSelector
from .command import Invocation, UsageError

MAX_EVENTS = 2**63 - 1


def add_selection_options(parser: argparse.ArgumentParser) -> None:
    """Add what narrows a target down, beside its names."""
    parser.add_argument(
        "-n", "--namespace", metavar="NAMESPACE", default="", help="only there; * and ? match"
    )
    parser.add_argument(
        *("-l", "--selector"),
        metavar="LABELS",
        type=_labels,
        default="",
        help="only with these labels: 'app=web,tier in (front,back),!canary'",
    )
    parser.add_argument(
        "--vmm", action="store_true", help="of containers in virtual machines, take the VMM"
    )


def is_narrowed(options: argparse.Namespace) -> bool:
    """Tell whether one of these options says what to select."""
    return bool(options.namespace or options.selector)


def selection(options: argparse.Namespace, places: Sequence[str]) -> ContainerSelector:
    """Read `[[NAMESPACE/]POD [CONTAINER]]` with what narrows it down; raise `UsageError`."""
    pod, container = (*places, "", "")[:2]
    try:
        return ContainerSelector(pod, container, options.namespace, options.selector)
    except RequestError as error:
        raise UsageError(str(error)) from error


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
        "--sample-rate",
        metavar="RATE",
        type=_sample_rate,
        help="how much of the spans exporters get: always, never, or 0 to 100 percent",
    )
    parser.add_argument(
        "--wait",
        action="store_true",
        help="wait for pods that match, and for more when none is left",
    )
    parser.add_argument(
        "--context", metavar="TEXT", default="", help="your own words, kept with the session"
    )


def trace_request(invocation: Invocation, words: Sequence[str]) -> TraceRequest:
    """Read the words of `trace`; the last is the hook. Raise `UsageError`.

    No pod needs to be named where a namespace or labels are.
    """
    fewest = 1 if is_narrowed(invocation.options) else 2
    if not fewest <= len(words) <= 3:  # noqa: PLR2004 - POD CONTAINER HOOK
        raise UsageError(
            "Say what to trace: [NAMESPACE/]POD [CONTAINER] HOOK, such as 'web trace_syscalls',"
            " or -l LABELS HOOK; the hook's arguments stand behind --."
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
    selection(options, places)
    pod, container = (*places, "", "")[:2]
    return TraceRequest(
        pod=pod,
        container=container,
        namespace=options.namespace,
        labels=options.selector,
        vmm=options.vmm,
        hook=hook,
        arguments=shlex.join(invocation.hook_arguments),
        context=options.context,
        duration=options.duration,
        max_events=options.max_events,
        exporters=tuple(options.exporter or ()),
        sample_rate=options.sample_rate,
        wait_for_pods=options.wait,
    )


def selector_of(request: TraceRequest) -> ContainerSelector:
    """Return what a request selects, to be shown."""
    return ContainerSelector(request.pod, request.container, request.namespace, request.labels)


def with_exporters_of_node(request: TraceRequest) -> TraceRequest:
    """Let the node choose where spans go, unless somebody has chosen."""
    return request if request.exporters else evolve(request, exporters=None)


def _sample_rate(text: str) -> str:
    try:
        return str(SampleRate.of(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _labels(text: str) -> str:
    try:
        label_selector(text)
    except InvalidLabels as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


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
