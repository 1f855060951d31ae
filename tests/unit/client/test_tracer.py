"""The client against an API without a tracer."""

import asyncio
from typing import Any

import pytest

from container_tracer.client import (
    Dropped,
    End,
    Opened,
    Refused,
    ServerUnreachable,
    Span,
    TracerClient,
    TraceRequest,
    UnexpectedAnswer,
)

REQUEST = TraceRequest(pod="shop", hook="trace_syscalls", arguments="-s openat")


async def test_a_trace_is_watched_before_it_starts_and_deleted_after_its_block(
    tracer_api: Any,
) -> None:
    async with TracerClient(tracer_api.url) as tracer, tracer.trace(REQUEST) as trace:
        events = [event async for event in trace]
    span, end = events
    assert isinstance(span, Span)
    assert (span.name, span.error, span.result) == ("openat", "ENOENT", -2)
    assert isinstance(end, End)
    assert trace.end is end
    assert [one[0] for one in tracer_api.asked] == ["POST", "GET", "PUT", "DELETE"]
    assert tracer_api.gone == [trace.session.session_id]


async def test_a_trace_that_is_stopped_still_tells_its_end(tracer_api: Any, lines: Any) -> None:
    tracer_api.script = [lines.span()]
    async with TracerClient(tracer_api.url) as tracer, tracer.trace(REQUEST) as trace:
        assert isinstance(await anext(trace), Span)
        await trace.stop()
        end = await anext(trace)
    assert isinstance(end, End)
    assert end.reason == "it was stopped"


async def test_the_session_is_deleted_when_the_block_fails(tracer_api: Any) -> None:
    with pytest.raises(RuntimeError, match="mine"):
        async with TracerClient(tracer_api.url) as tracer, tracer.trace(REQUEST):
            raise RuntimeError("mine")
    assert tracer_api.sessions == {}


async def test_the_session_is_deleted_when_the_block_is_cancelled(
    tracer_api: Any, lines: Any
) -> None:
    tracer_api.script = [lines.span()]
    seen = asyncio.Event()

    async def watch() -> None:
        async with TracerClient(tracer_api.url) as tracer, tracer.trace(REQUEST) as trace:
            async for _ in trace:
                seen.set()

    task = asyncio.create_task(watch())
    await seen.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert tracer_api.sessions == {}
    assert len(tracer_api.gone) == 1


async def test_a_session_somebody_else_deleted_is_no_error_at_the_end(tracer_api: Any) -> None:
    async with TracerClient(tracer_api.url) as tracer, tracer.trace(REQUEST) as trace:
        await tracer.delete(trace.session.handle)
    assert len(tracer_api.gone) == 1


async def test_a_request_has_only_what_was_asked_for(tracer_api: Any) -> None:
    request = TraceRequest(pod="shop", hook="trace_syscalls", exporters=(), duration="5s")
    async with TracerClient(tracer_api.url) as tracer, tracer.temporary(request):
        pass
    assert tracer_api.asked[0][2] == {
        "pod": "shop",
        "trace-hook": "trace_syscalls",
        "duration": "5s",
        "exporters": [],
        "lease": 30.0,
        "run": True,
    }


async def test_a_temporary_session_is_asked_for_as_long_as_its_block(
    tracer_api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the tracer would take us for dead."""
    monkeypatch.setattr("container_tracer.client.tracer.LEASE_SECONDS", 0.003)
    async with TracerClient(tracer_api.url) as tracer, tracer.temporary(REQUEST):
        async with asyncio.timeout(10):
            while [one[0] for one in tracer_api.asked].count("GET") < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
    assert tracer_api.asked[0][2]["lease"] == 0.003
    assert tracer_api.asked[-1][0] == "DELETE"


async def test_a_lease_of_ones_own_is_kept(tracer_api: Any) -> None:
    request = TraceRequest(pod="shop", hook="trace_syscalls", lease="2m")
    async with TracerClient(tracer_api.url) as tracer, tracer.temporary(request):
        assert tracer_api.asked[0][2]["lease"] == "2m"


async def test_a_refusal_is_the_tracers_own_sentence(tracer_api: Any) -> None:
    tracer_api.refusal = {
        "type": "urn:container-tracer:problem:no-matching-container",
        "title": "No matching container",
        "status": 404,
        "detail": "No running container matches pod 'none'.",
    }
    async with TracerClient(tracer_api.url) as tracer:
        with pytest.raises(Refused, match="No running container matches pod 'none'") as caught:
            await tracer.create(REQUEST)
    problem = caught.value.problem
    assert (problem.status, problem.kind) == (404, "no-matching-container")


async def test_nobody_there_is_unreachable() -> None:
    async with TracerClient("http://127.0.0.1:1") as tracer:
        with pytest.raises(ServerUnreachable, match="connection refused"):
            await tracer.pods()


async def test_no_such_socket_is_unreachable(tmp_path: Any) -> None:
    async with TracerClient(f"unix:{tmp_path}/none") as tracer:
        with pytest.raises(ServerUnreachable, match="no such file"):
            await tracer.pods()


async def test_a_stream_that_breaks_off_is_unreachable(tracer_api: Any, lines: Any) -> None:
    tracer_api.script, tracer_api.break_off = [lines.span()], True
    seen = []
    with pytest.raises(ServerUnreachable):
        async with TracerClient(tracer_api.url) as tracer, tracer.trace(REQUEST) as trace:
            seen += [event async for event in trace]
    assert tracer_api.sessions == {}


async def test_another_server_is_no_tracer(tracer_api: Any) -> None:
    tracer_api.pods = []
    async with TracerClient(tracer_api.url) as tracer:
        with pytest.raises(UnexpectedAnswer, match="is no tracer"):
            await tracer.pods()


async def test_an_answer_without_what_is_needed_cannot_be_read(tracer_api: Any) -> None:
    tracer_api.pods = {"shop": {}}
    async with TracerClient(tracer_api.url) as tracer:
        with pytest.raises(UnexpectedAnswer, match="cannot be read"):
            await tracer.pods()


async def test_a_token_is_sent_with_every_request_and_shown_nowhere(tracer_api: Any) -> None:
    client = TracerClient(tracer_api.url, token="s3cret")
    async with client as tracer:
        await tracer.pods()
    assert tracer_api.headers[0]["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in repr(client._connection)


async def test_pods_hooks_and_sessions_are_values(tracer_api: Any) -> None:
    container = {"Id": "web", "Pod": "shop", "Tasks": [1, 2], "Unknown": "key"}
    tracer_api.pods = {"shop": {"Containers": {"web": container}}}
    async with TracerClient(tracer_api.url) as tracer:
        (pod,) = await tracer.pods()
        assert (pod.key, pod.containers[0].name, pod.containers[0].tasks) == ("shop", "web", (1, 2))
        block, calls = sorted(await tracer.hooks(), key=lambda hook: hook.name)
        assert (calls.name, calls.available, calls.arguments[0].flags) == (
            "trace_syscalls",
            True,
            ("-s", "--syscall"),
        )
        assert "block_rq_issue" in block.reason
        (made,) = await tracer.create(REQUEST)
        assert await tracer.sessions() == (await tracer.session(made.session_id),)
        with pytest.raises(Refused, match="no trace session"):
            await tracer.session("1")


async def test_pods_are_selected_as_a_trace_selects_them(tracer_api: Any) -> None:
    container = {"Id": "web", "Isolated": True, "Refused": "It is a virtual machine."}
    tracer_api.pods = {"shop": {"Containers": {"web": container}}}
    async with TracerClient(tracer_api.url) as tracer:
        (pod,) = await tracer.pods(pod="sh[a-z]p", labels="a in (b,c),!d", vmm=True)
        await tracer.pods(container="w b", namespace="é&=")
    assert pod.containers[0].refused == "It is a virtual machine."
    assert tracer_api.queries == [
        {"pod": "sh[a-z]p", "labels": "a in (b,c),!d", "vmm": "true"},
        {"container": "w b", "namespace": "é&="},
    ]


async def test_labels_are_a_text_or_exact_and_the_vmm_is_asked_for(tracer_api: Any) -> None:
    tracer_api.refused = {"shop": {"db": "It is a virtual machine."}}
    async with TracerClient(tracer_api.url) as tracer:
        (session,) = await tracer.create(TraceRequest(hook="h", labels="app!=web", vmm=True))
        await tracer.create(TraceRequest(hook="h", labels={"app": "web"}))
    first, second = (body for *_, body in tracer_api.asked)
    assert (first["labels"], first["vmm"]) == ("app!=web", True)
    assert second["labels"] == {"app": "web"}
    assert "vmm" not in second
    assert session.refused == {"shop": {"db": "It is a virtual machine."}}


async def test_an_id_that_would_change_the_path_is_never_sent(tracer_api: Any) -> None:
    async with TracerClient(tracer_api.url) as tracer:
        with pytest.raises(ValueError, match="is no id"):
            await tracer.delete("../pods")
    assert tracer_api.asked == []


async def test_a_summary_is_a_value(tracer_api: Any) -> None:
    call = {"Name": "openat", "Container": "web", "Pod": "shop", "Count": 3, "P99Ns": 7}
    tracer_api.summary = {"State": "running", "Spans": 3, "Calls": [call]}
    async with TracerClient(tracer_api.url) as tracer, tracer.temporary(REQUEST) as session:
        summary = await tracer.summary(session.handle)
    assert (summary.spans, summary.calls[0].name, summary.calls[0].p99_ns) == (3, "openat", 7)


async def test_gaps_are_events_and_unknown_kinds_are_passed_over(
    tracer_api: Any, lines: Any
) -> None:
    gap = {"stream": "dropped", "spans": 5, "events": 10}
    tracer_api.script = [gap, {"stream": "news"}, lines.end()]
    async with TracerClient(tracer_api.url) as tracer, tracer.temporary(REQUEST) as session:
        events = [event async for event in tracer.events(session.handle)]
    assert isinstance(events[0], Opened)
    assert [type(event) for event in events[1:]] == [Dropped, End]
