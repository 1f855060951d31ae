"""`trace`: watch what the kernel does for containers, live, until Ctrl-C."""

import argparse
import asyncio
from contextlib import suppress

from ...client import ClientError, End, Group, LiveTrace, TracerClient, TraceRequest
from .closing import closing_lines
from .command import Command, Invocation, UsageError
from .connecting import connect
from .exit_codes import ExitCode
from .output import Output
from .progress import Tally
from .refusals import note_refused
from .span_view import SpanView
from .target import (
    add_request_options,
    add_selection_options,
    selector_of,
    trace_request,
    with_exporters_of_node,
)

CLOSING_SECONDS = 6.0
"""How long a trace that was stopped may take to say its last words."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the target and what a session can be told."""
    parser.add_argument(
        "words",
        metavar="WORD",
        nargs="*",
        help="[NAMESPACE/]POD [CONTAINER] HOOK; *, ? and [abc] match",
    )
    add_selection_options(parser)
    add_request_options(parser)
    parser.add_argument(
        "--keep", action="store_true", help="leave the session running; print its id"
    )
    parser.add_argument(
        "--fail-on-loss", action="store_true", help="exit with 4 if anything was lost or dropped"
    )


async def run(invocation: Invocation) -> int:
    """Trace until it ends or somebody ends it."""
    request = trace_request(invocation, invocation.options.words)
    options = invocation.options
    stays = invocation.server.stays
    if options.keep and not stays:
        raise UsageError("--keep needs a tracer that stays: --server URL, or --cluster.")
    if not stays and "console" in (options.exporter or ()):
        raise UsageError("Spans are shown here anyway; the exporter console is for a tracer-node.")
    async with connect(invocation, traces=True) as tracer:
        if options.keep:
            return await _keep(invocation, tracer, with_exporters_of_node(request))
        return await watch_trace(invocation, tracer, request)


async def _keep(invocation: Invocation, tracer: TracerClient, request: TraceRequest) -> int:
    sessions = await tracer.create(request, run=True)
    output = invocation.output
    note_refused(output, sessions)
    output.failed_nodes(sessions.node_errors)
    if output.for_people:
        output.text([sessions[0].handle])
    else:
        output.document({one.session_id: one.json for one in sessions})
    return ExitCode.FINE


async def watch_trace(invocation: Invocation, tracer: TracerClient, request: TraceRequest) -> int:
    """Show a trace to its end; the session is deleted whatever happens."""
    stop, output = invocation.stop, invocation.output
    view = SpanView.of(invocation)
    async with tracer.trace(request) as trace:
        group = trace.group
        note_refused(output, group.parts)
        view.missing([*group.node_errors, *trace.not_started])
        _note_waiting(output, request, group, view)
        view.lines.qualified = any("/" in pod for one in group.parts for pod in one.containers)
        view.lines.nodes = len(group.nodes) > 1
        stop.on_second = lambda: output.note(_left(group.handle))
        with stop.awaited():
            async with view.progress.shown():
                await _show(invocation, trace, view)
        outputs = _outputs(await tracer.group(group.handle)) if request.exporters else ()
    for line in closing_lines(trace.end, view.tally, outputs, asked=bool(stop.number)):
        output.note(line)
    return exit_code(invocation, view.tally, trace.end)


def _outputs(group: Group) -> list[str]:
    """Say where spans were written, and on which node where there are several."""
    if len(group.nodes) == 1:
        return [one for part in group.parts for one in part.outputs]
    return [f"{one} on {part.node}" for part in group.parts for one in part.outputs]


def _note_waiting(output: Output, request: TraceRequest, group: Group, view: SpanView) -> None:
    """Say that nothing matches yet, where that is so."""
    view.tally.containers = sum(
        len(names) for part in group.parts for names in part.containers.values()
    )
    if request.wait_for_pods:
        view.progress.awaited = f"pods that match {selector_of(request)}"
        if not view.tally.containers:
            output.note(f"Waiting for {view.progress.awaited}.")


async def _show(invocation: Invocation, trace: LiveTrace, view: SpanView) -> None:
    """Show events until the last; once somebody has asked for the end, not for much longer."""
    limit = asyncio.timeout(None)
    stopping = asyncio.create_task(_stop_when_asked(invocation, trace, limit), name="stop trace")
    try:
        async with limit:
            async for event in trace:
                await view.take(event)
    except TimeoutError:
        if not limit.expired():
            raise
    finally:
        stopping.cancel()


async def _stop_when_asked(
    invocation: Invocation, trace: LiveTrace, limit: asyncio.Timeout
) -> None:
    await invocation.stop.asked.wait()
    limit.reschedule(asyncio.get_running_loop().time() + CLOSING_SECONDS)
    # If that fails the stream ends too, or the limit ends it.
    with suppress(ClientError):
        await trace.stop()


def _left(session_id: str) -> str:
    return f"Left at once; the tracer may still have session {session_id}."


def exit_code(invocation: Invocation, tally: Tally, end: End | None) -> int:
    """Say how it went: a signal, a failure, a loss if that matters, or fine."""
    if invocation.stop.number:
        return invocation.stop.exit_code
    if end is None or end.failed:
        return ExitCode.FAILED
    lost = tally.lost_events or tally.dropped_spans or end.statistics.dropped
    lost += len(tally.failed_nodes) + tally.interruptions
    if invocation.options.fail_on_loss and lost:
        return ExitCode.LOSS
    return ExitCode.FINE


COMMAND = Command(
    name="trace",
    summary="watch what the kernel does for containers, live, until Ctrl-C",
    synopsis="[OPTIONS] [[NAMESPACE/]POD [CONTAINER]] HOOK [-- HOOK-ARGUMENTS]",
    examples=(
        "trace web trace_syscalls",
        "trace web trace_syscalls -- -s openat --errors-only",
        "trace 'web-*' trace_syscalls --wait",
        "trace 'shop/web-*' nginx trace_syscalls --duration 10s -o json",
        "trace -n shop -l 'app in (web,api)' trace_syscalls",
        "trace web trace_syscalls --server http://worker-1:8080 --exporter otlp --keep",
    ),
    add_options=add_options,
    run=run,
    arguments_follow=True,
)
