"""`top` against an API without a tracer."""

import asyncio
import json
import signal
from typing import Any

import pytest

from container_tracer.entrypoints.cli.command import UsageError

SUMMARY = {
    "State": "running",
    "Node": "worker-1",
    "StartedNs": 10**9,
    "UntilNs": 3 * 10**9,
    "Spans": 30,
    "Lost": 0,
    "Calls": [
        {"Name": "read", "Container": "web", "Count": 20, "Errors": 0, "TotalNs": 5, "MaxNs": 9},
        {"Name": "openat", "Container": "web", "Count": 10, "Errors": 4, "TotalNs": 7, "MaxNs": 1},
    ],
}


async def test_top_shows_rates_and_sorts(commands: Any, tracer_api: Any) -> None:
    tracer_api.summary = SUMMARY
    ran = await commands.run("top", "shop", "--count", "1", "--interval", "0.1", "--sort", "rate")
    head, titles, first, second, *_ = ran.out.splitlines()
    assert head == "30 spans in 2 s, 0 events lost"
    assert titles.split()[:4] == ["CONTAINER", "CALL", "CALLS", "/S"]
    assert first.split()[:5] == ["web", "read", "20", "10", "0"]
    assert second.split()[:5] == ["web", "openat", "10", "5", "4"]
    assert tracer_api.asked[1][2]["trace-hook"] == "trace_syscalls"
    assert tracer_api.sessions == {}


async def test_top_takes_the_last_word_for_a_hook_only_if_there_is_one(
    commands: Any, tracer_api: Any
) -> None:
    tracer_api.summary = SUMMARY
    once = ("--count", "1", "--interval", "0.1")
    await commands.run("top", "shop", "trace_block", *once)
    await commands.run("top", "shop", "web", *once)
    bodies = [body for method, _, body in tracer_api.asked if method == "POST"]
    assert [(one["pod"], one.get("container"), one["trace-hook"]) for one in bodies] == [
        ("shop", None, "trace_block"),
        ("shop", "web", "trace_syscalls"),
    ]
    with pytest.raises(UsageError, match="no hook 'trace_dreams'"):
        await commands.run("top", "shop", "web", "trace_dreams", *once)


async def test_top_of_labels_is_a_session_of_its_own(commands: Any, tracer_api: Any) -> None:
    tracer_api.summary = SUMMARY
    tracer_api.refused = {"db-0": {"db": "Container db runs in a virtual machine."}}
    ran = await commands.run("top", "-l", "app=web", "--count", "1", "--interval", "0.1")
    (body,) = (body for method, _, body in tracer_api.asked if method == "POST")
    assert (body["labels"], body["trace-hook"]) == ("app=web", "trace_syscalls")
    assert ran.err == "Not traced: Container db runs in a virtual machine.\n"
    with pytest.raises(UsageError, match="for a new one"):
        await commands.run("top", "123", "-n", "shop")


async def test_top_of_a_session_leaves_it_and_ends_with_it(commands: Any, tracer_api: Any) -> None:
    await commands.run("trace", "shop", "trace_syscalls", "--keep")
    (session,) = tracer_api.sessions
    tracer_api.summary = {**SUMMARY, "State": "stopped"}
    ran = await commands.run("top", session, "--interval", "0.1", "-o", "json")
    shown = json.loads(ran.out.splitlines()[-1])
    assert shown[session]["Calls"] == SUMMARY["Calls"]
    assert list(tracer_api.sessions) == [session]


async def test_top_ends_on_a_signal(commands: Any, tracer_api: Any) -> None:
    tracer_api.summary = SUMMARY
    running = asyncio.create_task(commands.run("top", "shop", "--interval", "0.1"))
    await commands.out.until("openat")
    commands.stop.take(signal.SIGINT)
    assert (await running).code == 130
    assert tracer_api.sessions == {}
