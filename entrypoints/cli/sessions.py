"""`sessions`: what a tracer is doing for everybody, and changing it."""

import argparse
import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeAlias

from ...client import End, Session, TracerClient
from ...client.reading import read_session
from .command import Command, Invocation, UsageError
from .connecting import connect
from .exit_codes import ExitCode
from .refusals import refusals
from .span_view import SpanView
from .table import Cell, Column, Row, Table

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
    Column(title="NODE", wide=True, rank=3),
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
    if not invocation.server.url:
        raise UsageError("Sessions live in a tracer: name it with --server URL.")
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
    body = await tracer.ask("GET", f"/v1/trace-session/{ALL}")
    invocation.output.show(document=body, table=sessions_table(body))
    return ExitCode.FINE


async def _show(invocation: Invocation, tracer: TracerClient, ids: list[str]) -> int:
    bodies = [await tracer.ask("GET", f"/v1/trace-session/{one}") for one in ids]
    body = {name: one for each in bodies for name, one in each.items()}
    if invocation.output.for_people:
        for one in body.values():
            invocation.output.text(session_lines(read_session(one)))
    else:
        invocation.output.document(body)
    return ExitCode.FINE


async def _start(_invocation: Invocation, tracer: TracerClient, ids: list[str]) -> int:
    await asyncio.gather(*(tracer.start(one) for one in ids))
    return ExitCode.FINE


async def _stop(_invocation: Invocation, tracer: TracerClient, ids: list[str]) -> int:
    await asyncio.gather(*(tracer.stop(one) for one in ids))
    return ExitCode.FINE


async def _delete(_invocation: Invocation, tracer: TracerClient, ids: list[str]) -> int:
    await asyncio.gather(*(tracer.delete(one) for one in ids))
    return ExitCode.FINE


async def _events(invocation: Invocation, tracer: TracerClient, ids: list[str]) -> int:
    view = SpanView.of(invocation)
    async with view.progress.shown():
        async for event in tracer.events(ids[0]):
            await view.take(event)
            if isinstance(event, End):
                invocation.output.note(f"Ended: {event.reason or event.state}.")
                return ExitCode.FAILED if event.error else ExitCode.FINE
    return ExitCode.FINE


VERBS: Mapping[str, Verb] = {
    "list": _list,
    "show": _show,
    "start": _start,
    "stop": _stop,
    "delete": _delete,
    "events": _events,
}


def sessions_table(body: Mapping[str, Any]) -> Table:
    """Make a row of every session of an answer."""
    rows = [_row(read_session(one)) for one in body.values()]
    return Table(columns=COLUMNS, rows=rows, empty="This tracer has no sessions.")


def _row(session: Session) -> Row:
    numbers = session.statistics
    return (
        session.session_id,
        Cell(session.state, STATE_STYLES.get(session.state, "")),
        session.hook,
        ",".join(session.containers) or "-",
        f"{numbers.spans:,}",
        Cell(f"{numbers.lost:,}", "bad" if numbers.lost else ""),
        _shorter_time(session.started) or "-",
        session.user_context or "-",
        session.node,
        " ".join(session.arguments) or "-",
        session.reason or "-",
    )


def session_lines(session: Session) -> list[str]:
    """Say everything about a session, a line each."""
    numbers = session.statistics
    places = [f"{pod}: {', '.join(names)}" for pod, names in session.containers.items()]
    told = {
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
