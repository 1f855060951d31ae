"""`trace` against an API without a tracer."""

import asyncio
import json
import signal
from typing import Any

import pytest
import yaml

from container_tracer.client import Refused
from container_tracer.entrypoints.cli.command import UsageError


async def test_a_trace_is_lines_and_its_balance_is_on_standard_error(
    commands: Any, tracer_api: Any, lines: Any
) -> None:
    tracer_api.script = [lines.span(), lines.span(name="close", result=0, error=""), lines.end()]
    ran = await commands.run("trace", "shop", "web", "trace_syscalls", "--", "-s", "open *")
    header, first, second = ran.out.splitlines()
    assert header.split() == ["TIME", "CONTAINER", "TASK", "DURATION", "CALL"]
    assert first.endswith(
        "shop web   nginx/11   12.3 µs  openat(dfd=-100, flags=O_RDONLY) = ENOENT"
    )
    assert second.endswith("close(dfd=-100, flags=O_RDONLY) = 0")
    assert ran.err == (
        "2 spans shown, of 8 events; filtered out: 2 events.\n"
        "Lost in the kernel: 0 events; not shown: 0 spans.\n"
        "Ended: its duration of 1 s is over.\n"
    )
    assert ran.code == 0
    body = tracer_api.asked[0][2]
    assert (body["pod"], body["container"], body["trace-arguments"]) == (
        "shop",
        "web",
        "-s 'open *'",
    )
    assert body["exporters"] == []
    assert tracer_api.sessions == {}


async def test_as_json_it_is_a_line_per_span_gap_and_end(
    commands: Any, tracer_api: Any, lines: Any
) -> None:
    gap = {"stream": "dropped", "spans": 5, "events": 10}
    beat = {"stream": "heartbeat", "spans": 1, "lost": 0, "dropped": 5}
    tracer_api.script = [lines.span(), gap, beat, lines.end()]
    ran = await commands.run("trace", "shop", "trace_syscalls", "-o", "json")
    assert [json.loads(line) for line in ran.out.splitlines()] == [lines.span(), gap, lines.end()]


async def test_as_yaml_it_is_a_stream_of_documents(
    commands: Any, tracer_api: Any, lines: Any
) -> None:
    tracer_api.script = [lines.span(command="a: [b"), lines.end()]
    ran = await commands.run("trace", "shop", "trace_syscalls", "-o", "yaml")
    assert list(yaml.safe_load_all(ran.out)) == [lines.span(command="a: [b"), lines.end()]


async def test_control_characters_of_traced_programs_are_made_visible(
    commands: Any, tracer_api: Any, lines: Any
) -> None:
    evil = "\x1b[2J\n\u202e"
    tracer_api.script = [
        lines.span(command=evil, pod=evil, container=evil, name=evil, arguments={evil: evil}),
        lines.end(reason=evil),
    ]
    ran = await commands.run("trace", "shop", "trace_syscalls")
    assert len(ran.out.splitlines()) == 2
    assert all(one.isprintable() for one in (ran.out + ran.err).replace("\n", ""))


LOST = {"Source": {"Lost": 1}}
GAP = {"stream": "dropped", "spans": 1, "events": 2}


async def test_a_loss_is_a_failure_only_where_that_was_asked_for(
    commands: Any, tracer_api: Any, lines: Any
) -> None:
    async def code(*script: Any, flags: tuple[str, ...] = ("--fail-on-loss",)) -> int:
        tracer_api.script = script
        ran = await commands.run("trace", "shop", "trace_syscalls", *flags)
        return int(ran.code)

    lossy = lines.end(statistics=LOST)
    assert await code(lines.span(), lines.end()) == 0
    assert await code(lines.span(), lossy) == 4
    assert await code(GAP, lines.end()) == 4
    assert await code(GAP, lossy, flags=()) == 0


async def test_a_run_that_failed_is_a_failure(commands: Any, tracer_api: Any, lines: Any) -> None:
    tracer_api.script = [lines.end(state="failed", error="the source is gone")]
    ran = await commands.run("trace", "shop", "trace_syscalls")
    assert ran.code == 1
    assert "Failed: the source is gone" in ran.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_shows_the_balance_and_deletes(
    commands: Any, tracer_api: Any, lines: Any, number: int
) -> None:
    tracer_api.script = [lines.span()]
    running = asyncio.create_task(commands.run("trace", "shop", "trace_syscalls"))
    await commands.out.until("openat")
    commands.stop.take(number)
    ran = await running
    assert ran.code == 128 + number
    assert "Ended: you asked for it." in ran.err
    assert tracer_api.sessions == {}
    methods = [method for method, *_ in tracer_api.asked]
    assert methods == ["POST", "GET", "PUT", "PUT", "DELETE"]


async def test_kept_it_runs_with_the_nodes_exporters_and_its_id_is_printed(
    commands: Any, tracer_api: Any
) -> None:
    ran = await commands.run("trace", "shop", "trace_syscalls", "--keep", "--context", "why?")
    (session,) = tracer_api.sessions
    assert ran.out == f"{session}\n"
    body = tracer_api.asked[0][2]
    assert "exporters" not in body
    assert (body["run"], body["trace-user-context"]) == (True, "why?")


async def test_a_target_can_be_narrowed_down_or_be_labels_alone(
    commands: Any, tracer_api: Any
) -> None:
    narrow = ("-n", "sh*", "-l", "app in (web,api),!canary", "--vmm")
    await commands.run("trace", "web-[0-4]", "trace_syscalls", *narrow, "--keep")
    await commands.run("trace", "trace_syscalls", "-l", "app", "--keep")
    first, second = (body for method, _, body in tracer_api.asked if method == "POST")
    assert (first["pod"], first["namespace"], first["labels"], first["vmm"]) == (
        "web-[0-4]",
        "sh*",
        "app in (web,api),!canary",
        True,
    )
    assert (second["labels"], second["trace-hook"]) == ("app", "trace_syscalls")
    assert "pod" not in second
    assert "vmm" not in second


@pytest.mark.parametrize("keep", [("--keep",), ()])
async def test_what_is_not_traced_is_said(
    commands: Any, tracer_api: Any, keep: tuple[str, ...]
) -> None:
    tracer_api.refused = {"db-0": {"db": "Container db of pod db-0 runs in a virtual machine."}}
    ran = await commands.run("trace", "*", "trace_syscalls", *keep)
    said = "Not traced: Container db of pod db-0 runs in a virtual machine."
    assert ran.err.splitlines()[0] == said


async def test_pods_of_one_name_are_shown_with_their_namespaces(
    commands: Any, tracer_api: Any, lines: Any
) -> None:
    tracer_api.containers = {"default/shop": ["web"], "bank/shop": ["web"]}
    ran = await commands.run("trace", "shop", "trace_syscalls")
    assert ran.out.splitlines()[1].split()[1:3] == ["default/shop", "web"]
    tracer_api.script = [lines.span(vmm=True), lines.end()]
    ran = await commands.run("trace", "shop", "trace_syscalls")
    assert ran.out.splitlines()[-1].split()[1:4] == ["default/shop", "web", "(VMM)"]


@pytest.mark.parametrize("words", [[], ["shop"], ["a", "b", "c", "d"], ["-l", "app"]])
async def test_too_few_and_too_many_words_are_refused(commands: Any, words: list[str]) -> None:
    with pytest.raises(UsageError, match="Say what to trace"):
        await commands.run("trace", *words)


async def test_a_refused_trace_leaves_nothing(commands: Any, tracer_api: Any) -> None:
    tracer_api.refusal = {"status": 404, "title": "No", "detail": "No running container matches."}
    with pytest.raises(Refused, match="No running container matches"):
        await commands.run("trace", "none", "trace_syscalls")


CHANGE = {
    "stream": "container",
    "change": "joined",
    "namespace": "shop",
    "pod": "web-2",
    "container": "app",
    "container_id": "4f1c",
    "containers": 1,
}


async def test_who_waits_is_told_so_and_who_joins_and_who_ends(
    commands: Any, tracer_api: Any, lines: Any
) -> None:
    ended = {**CHANGE, "change": "ended", "containers": 0}
    tracer_api.containers = {}
    tracer_api.script = [CHANGE, lines.span(), ended, lines.end()]
    ran = await commands.run("trace", "web-*", "trace_syscalls", "--wait")
    assert tracer_api.asked[0][2]["wait-for-pods"] is True
    assert ran.err.splitlines()[:3] == [
        "Waiting for pods that match pod 'web-*', container '*'.",
        "shop/web-2 app joined.",
        "shop/web-2 app ended.",
    ]
    assert len(ran.out.splitlines()) == 2


async def test_as_json_containers_that_join_and_end_are_lines(
    commands: Any, tracer_api: Any, lines: Any
) -> None:
    tracer_api.script = [CHANGE, lines.span(), lines.end()]
    ran = await commands.run("trace", "web-*", "trace_syscalls", "-o", "json")
    assert "wait-for-pods" not in tracer_api.asked[0][2]
    assert [json.loads(line) for line in ran.out.splitlines()] == tracer_api.script


async def test_pods_of_one_name_are_told_apart_once_both_were_seen(
    commands: Any, tracer_api: Any, lines: Any
) -> None:
    spans = [lines.span(namespace=one) for one in ("shop", "shop", "bank", "shop")]
    tracer_api.script = [*spans, lines.end()]
    ran = await commands.run("trace", "shop", "trace_syscalls")
    shown = [line.split()[1] for line in ran.out.splitlines()[1:]]
    assert shown == ["shop", "shop", "bank/shop", "shop/shop"]
