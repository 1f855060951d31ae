"""`sessions`: what a tracer is doing for everybody, and changing it."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, TypeAlias

from ...client import End, Group, NodeError, Session, TracerClient, grouped
from .command import NO_SERVER, Command, Invocation, UsageError
from .connecting import connect
from .exit_codes import ExitCode
from .refusals import refusals
from .span_view import SpanView
from .table import NODE, Cell, Column, Row, Table, with_nodes

ALL = "all"

COLUMNS = (
    Column(title="ID"),
    Column(title="STATE"),
    Column(title="HOOK"),
    Column(title="PODS", flexible=True),
    Column(title="SPANS", right=True),
    Column(title="LOST", right=True),
    Column(title="STARTED", rank=2),
    Column(title="CONTEXT", rank=1, flexible=True),
    Column(title=NODE.title, wide=True, rank=3),
    Column(title="ARGUMENTS", wide=True, rank=4, flexible=True),
    Column(title="REASON", wide=True, rank=5, flexible=True),
)

STATE_STYLES = {"running": "good", "failed": "bad", "starting": "warn", "stopping": "warn"}

Verb: TypeAlias = Callable[[Invocation, TracerClient, list[str]], Coroutine[Any, Any, int]]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the verb and the sessions."""
    parser.add_argument("verb", choices=list(VERBS), metavar="VERB", help=", ".join(VERBS))
    parser.add_argument(
        "ids", metavar="ID", nargs="*", help="ids of sessions; delete also takes the word all"
    )


async def run(invocation: Invocation) -> int:
    """Do it."""
    options = invocation.options
    if not invocation.server.stays:
        raise UsageError(NO_SERVER)
    _check(options.verb, options.ids)
    async with connect(invocation) as tracer:
        return await VERBS[options.verb](invocation, tracer, options.ids)


def _check(verb: str, ids: list[str]) -> None:
    if verb == "list" and ids:
        raise UsageError("sessions list takes no ids; sessions show does.")
    if verb != "list" and not ids:
        raise UsageError(f"sessions {verb} takes the id of a session; sessions list shows them.")
    if verb == "events" and len(ids) > 1:
        raise UsageError("sessions events watches one session at a time.")
    for one in ids:
        if not (one.isascii() and one.isdecimal()) and (verb, one) != ("delete", ALL):
            raise UsageError(f"{one!r} is no id of a session: ids are decimal numbers.")


async def _list(invocation: Invocation, tracer: TracerClient, _ids: list[str]) -> int:
    output, sessions = invocation.output, await tracer.sessions()
    if output.for_people:
        output.table(sessions_table(grouped(sessions)))
    else:
        output.document({one.session_id: one.json for one in sessions})
    output.failed_nodes(sessions.node_errors)
    return ExitCode.FINE


async def _show(invocation: Invocation, tracer: TracerClient, ids: list[str]) -> int:
    output, groups = invocation.output, [await tracer.group(one) for one in ids]
    parts = [part for group in groups for part in group.parts]
    if output.for_people:
        for one in parts:
            output.text(session_lines(one))
    else:
        output.document({one.session_id: one.json for one in parts})
    output.failed_nodes(one for group in groups for one in group.node_errors)
    return ExitCode.FINE


async def _start(invocation: Invocation, tracer: TracerClient, ids: list[str]) -> int:
    return await _change(invocation, [tracer.start(one) for one in ids])


async def _stop(invocation: Invocation, tracer: TracerClient, ids: list[str]) -> int:
    return await _change(invocation, [tracer.stop(one) for one in ids])


async def _delete(invocation: Invocation, tracer: TracerClient, ids: list[str]) -> int:
    return await _change(invocation, [tracer.delete(one) for one in ids])


async def _change(
    invocation: Invocation, changes: Iterable[Awaitable[tuple[NodeError, ...]]]
) -> int:
    for failed in await asyncio.gather(*changes):
        invocation.output.failed_nodes(failed)
    return ExitCode.FINE


async def _events(invocation: Invocation, tracer: TracerClient, ids: list[str]) -> int:
    view = SpanView.of(invocation)
    view.lines.nodes = len((await tracer.group(ids[0])).nodes) > 1
    async with view.progress.shown():
        async for event in tracer.events(ids[0]):
            await view.take(event)
            if isinstance(event, End):
                invocation.output.note(f"Ended: {event.reason or event.state}.")
                return ExitCode.FAILED if event.failed else ExitCode.FINE
    return ExitCode.FINE


VERBS: Mapping[str, Verb] = {
    "list": _list,
    "show": _show,
    "start": _start,
    "stop": _stop,
    "delete": _delete,
    "events": _events,
}


def sessions_table(groups: Iterable[Group]) -> Table:
    """Make a row of every session, whatever number of parts it has."""
    several = tuple(groups)
    columns = with_nodes(COLUMNS, (node for one in several for node in one.nodes))
    return Table(
        columns=columns, rows=list(map(_row, several)), empty="This tracer has no sessions."
    )


def _row(group: Group) -> Row:
    session, numbers = group.parts[0], group.statistics
    pods = dict.fromkeys(pod for part in group.parts for pod in part.containers)
    reasons = dict.fromkeys(part.reason for part in group.parts if part.reason)
    return (
        group.handle,
        _state(group),
        session.hook,
        ",".join(pods) or "-",
        f"{numbers.spans:,}",
        Cell(f"{numbers.lost:,}", "bad" if numbers.lost else ""),
        _shorter_time(session.started) or "-",
        session.user_context or "-",
        session.node if len(group.nodes) == 1 else f"{len(group.nodes)} nodes",
        " ".join(session.arguments) or "-",
        "; ".join(reasons) or "-",
    )


def _state(group: Group) -> Cell:
    """Name the state of all parts, or how many are in which."""
    if len(group.states) == 1:
        (state,) = group.states
        return Cell(state, STATE_STYLES.get(state, ""))
    text = ",".join(f"{number} {state}" for state, number in group.states.items())
    return Cell(text, "bad" if "failed" in group.states else "warn")


def session_lines(session: Session) -> list[str]:
    """Say everything about a session, a line each."""
    numbers = session.statistics
    places = [f"{pod}: {', '.join(names)}" for pod, names in session.containers.items()]
    told = {
        "Group": session.group,
        "State": session.state,
        "Reason": session.reason,
        "Node": session.node,
        "Hook": " ".join((session.hook, *session.arguments)),
        "Context": session.user_context,
        "Containers": "; ".join(places) or ("none now" if session.wait_for_pods else ""),
        "Gone": _gone(session),
        "Refused": " ".join(refusals([session])),
        "Created": session.created,
        "Started": session.started,
        "Ended": session.ended,
        "Spans": f"{numbers.spans:,} ({numbers.incomplete_spans:,} incomplete)",
        "Events": f"{numbers.attributed:,}, of which filtered out {numbers.filtered_out:,}",
        "Sampled": _sampled(session),
        "Lost": f"{numbers.lost:,} events in the kernel, {numbers.dropped:,} by exporters",
        "Written": ", ".join(session.outputs),
        "Error": "; ".join(session.errors),
    }
    told |= {
        f"To {name}": f"{one.delivered_spans:,} spans delivered, {one.dropped_spans:,} dropped"
        for name, one in numbers.exporters.items()
    }
    return [
        session.session_id,
        *(f"  {name + ':':<11} {text}" for name, text in told.items() if text),
    ]


def _gone(session: Session) -> str:
    number = session.ended_container_count
    return f"{number:,} container{'' if number == 1 else 's'}" if number else ""


def _sampled(session: Session) -> str:
    if session.sample_rate in ("", "always"):
        return ""
    percent = "" if session.sample_rate == "never" else " percent"
    return f"{session.sample_rate}{percent}; {session.statistics.sampled_out:,} events left out"


def _shorter_time(time: str) -> str:
    """Leave out what nobody reads in a table: fractions of a second."""
    return time.partition(".")[0] + "Z" if "." in time else time


COMMAND = Command(
    name="sessions",
    summary="list, show, start, stop, delete or watch the sessions of a tracer",
    synopsis="[OPTIONS] list | (show | start | stop | delete) ID... | delete all | events ID",
    examples=(
        "sessions list --server http://worker-1:8080",
        "sessions show 14839817793236214348 -o yaml",
        "sessions events 14839817793236214348 -o json",
        "sessions delete all",
    ),
    add_options=add_options,
    run=run,
)
