"""`sessions` against an API without a tracer."""

import json
from typing import Any

import pytest
import yaml

from container_tracer.entrypoints.cli.command import UsageError


async def test_sessions_are_listed_shown_changed_and_deleted(
    commands: Any, tracer_api: Any
) -> None:
    await commands.run("trace", "shop", "trace_syscalls", "--keep", "--context", "why?")
    (session,) = tracer_api.sessions
    listed = (await commands.run("sessions", "list")).out.splitlines()
    assert listed[-1].split()[:3] == [session, "running", "trace_syscalls"]
    assert "why?" in (await commands.run("sessions", "show", session)).out
    await commands.run("sessions", "stop", session)
    assert tracer_api.sessions[session]["State"] == "stopped"
    await commands.run("sessions", "start", session)
    assert tracer_api.sessions[session]["State"] == "running"
    assert (await commands.run("sessions", "delete", "all")).code == 0
    assert tracer_api.sessions == {}


async def test_what_a_session_refused_is_shown_with_the_reason(
    commands: Any, tracer_api: Any
) -> None:
    tracer_api.refused = {"db-0": {"db": "Container db runs in a virtual machine."}}
    await commands.run("trace", "*", "trace_syscalls", "--keep")
    (session,) = tracer_api.sessions
    shown = (await commands.run("sessions", "show", session)).out
    assert "Refused:    Container db runs in a virtual machine." in shown


async def test_a_session_that_waits_is_shown_so_with_what_it_had(
    commands: Any, tracer_api: Any
) -> None:
    tracer_api.containers = {}
    await commands.run("trace", "*", "trace_syscalls", "--keep", "--wait")
    ((name, session),) = tracer_api.sessions.items()
    session |= {"WaitForPods": True, "EndedContainerCount": 1200}
    shown = (await commands.run("sessions", "show", name)).out.splitlines()
    assert "  Containers: none now" in shown
    assert "  Gone:       1,200 containers" in shown


async def test_a_session_that_exports_a_part_is_shown_so(commands: Any, tracer_api: Any) -> None:
    await commands.run("trace", "shop", "trace_syscalls", "--keep", "--sample-rate", "12.50")
    ((name, session),) = tracer_api.sessions.items()
    (body,) = (body for method, _, body in tracer_api.asked if method == "POST")
    assert body["sample-rate"] == "12.5"
    session |= {"SampleRate": "12.5", "Statistics": {"SampledOut": 1200}}
    shown = (await commands.run("sessions", "show", name)).out.splitlines()
    assert "  Sampled:    12.5 percent; 1,200 events left out" in shown


async def test_session_documents_are_those_of_the_api(commands: Any, tracer_api: Any) -> None:
    await commands.run("trace", "shop", "trace_syscalls", "--keep", "-o", "json")
    assert json.loads(commands.out.getvalue()) == tracer_api.sessions
    commands.out.truncate(0)
    commands.out.seek(0)
    ran = await commands.run("sessions", "list", "-o", "yaml")
    assert yaml.safe_load(ran.out) == tracer_api.sessions


async def test_events_of_a_session_are_watched_without_touching_it(
    commands: Any, tracer_api: Any
) -> None:
    await commands.run("trace", "shop", "trace_syscalls", "--keep")
    (session,) = tracer_api.sessions
    ran = await commands.run("sessions", "events", session)
    assert "= ENOENT" in ran.out
    assert list(tracer_api.sessions) == [session]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("list", "1"), "takes no ids"),
        (("show",), "takes the id"),
        (("stop", "all"), "is no id"),
        (("delete", "../pods"), "is no id"),
        (("events", "1", "2"), "one session at a time"),
    ],
)
async def test_what_is_no_id_is_refused(
    commands: Any, tracer_api: Any, words: tuple[str, ...], why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        await commands.run("sessions", *words)
    assert tracer_api.asked == []
