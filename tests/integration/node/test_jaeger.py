"""The node as a program, told of Jaeger by the environment alone."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from container_tracer.fakes.jaeger_agent import FakeJaegerAgent
from container_tracer.fakes.jaeger_collector import CollectedSpan, FakeJaegerCollector
from container_tracer.fakes.kubernetes.api import FakeKubernetesApi
from container_tracer.fakes.kubernetes.calls import SERVICES
from container_tracer.fakes.kubernetes.manifests import jaeger_service
from tests.collectors import beside

from .conftest import Box, Node, StartBox, StartNode, wait_for

pytestmark = pytest.mark.kernel

GETPPID = "import os, time\nwhile True: os.getppid(); time.sleep(0.001)"


def begin(node: Node, box: Box) -> tuple[str, Any]:
    """Start a session; return its id, and what is said of it."""
    body = {
        "pod": box.pod(node),
        "trace-hook": "trace_syscalls",
        "trace-arguments": "-s getppid",
        "run": True,
    }
    ((session, made),) = node.ask("POST", "/v1/trace-session", body)[1].items()
    return session, made


def end(node: Node, session: str) -> Any:
    """Stop it; return what is said of it then."""
    path = f"/v1/trace-session/{session}"
    assert node.ask("PUT", path, {"Run": False})[0] == 200
    return node.ask("GET", path)[1][session]


def calls(spans: list[CollectedSpan]) -> set[int]:
    found = [span.span_id for span in spans if span.name == "getppid"]
    assert len(set(found)) == len(found)
    return set(found)


def has_calls(collector: FakeJaegerCollector) -> bool:
    return any(b"getppid" in one.body for one in collector.taken)


def assert_all_delivered(session: Any, found: set[int]) -> None:
    counts = session["Statistics"]["Exporters"]["jaeger"]
    assert (counts["Dropped"], counts["Pending"]) == (0, 0)
    assert counts["DeliveredSpans"] == session["Statistics"]["Spans"] == len(found)


def test_every_span_that_is_counted_as_delivered_is_there_below_its_session(
    start_node: StartNode, start_box: StartBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = FakeJaegerCollector()
    with beside(collector):
        monkeypatch.setenv("JAEGER_ENDPOINT", collector.url)
        monkeypatch.setenv("JAEGER_USER", "me")
        monkeypatch.setenv("JAEGER_PASSWORD", "word")
        box, node = start_box(GETPPID), start_node()  # who was there before is seen at once
        session, made = begin(node, box)
        wait_for(lambda: bool(collector.taken), "spans")
        ended = end(node, session)
    spans = collector.spans
    calls = [span for span in spans if span.parent_id and "process.pid" in span.tags]
    of_sessions = [span for span in spans if "traceSession" in span.tags]
    roots = {span.span_id: span for span in of_sessions if span.follows}
    (own,) = [span for span in of_sessions if not span.follows]

    counts = ended["Statistics"]["Exporters"]["jaeger"]
    assert (ended["Error"], counts["Dropped"], counts["Pending"]) == (None, 0, 0)
    assert counts["DeliveredSpans"] == len(calls) == ended["Statistics"]["Spans"]
    assert {(call.name, call.tags["process.pid"]) for call in calls} == {("getppid", box.pid)}
    assert {call.parent_id for call in calls} == roots.keys()
    assert {root.follows for root in roots.values()} == {((own.trace_id, own.span_id),)}
    assert own.tags["traceSession"] == session
    assert f"{own.trace_id:032x}" in made["Output"][0]
    assert {one.headers["authorization"] for one in collector.posted} == {"Basic bWU6d29yZA=="}


def test_every_span_reaches_an_agent_of_this_machine(
    start_node: StartNode, start_box: StartBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = FakeJaegerAgent()
    with beside(agent):
        monkeypatch.setenv("JAEGER_AGENT_ENDPOINT", f"localhost:{agent.port}")
        box, node = start_box(GETPPID), start_node()  # who was there before is seen at once
        session, made = begin(node, box)
        wait_for(lambda: any(b"getppid" in one for one in agent.packets), "spans")
        ended = end(node, session)
        wait_for(lambda: len(calls(agent.spans)) == ended["Statistics"]["Spans"], "all packets")
    assert made["Output"][0].startswith(f"udp://localhost:{agent.port} trace_id=")
    assert_all_delivered(ended, calls(agent.spans))


async def test_a_collector_that_is_looked_for_may_come_late_and_move(
    start_node: StartNode, start_box: StartBox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (FakeJaegerCollector(host=own_address(n), port=14268) for n in (1, 2))
    async with asyncio.timeout(60), FakeKubernetesApi() as api, first, second:
        config = api.write_kubeconfig(tmp_path / "config", namespace="container-tracer")
        monkeypatch.setenv("KUBECONFIG", str(config))
        monkeypatch.setenv("TRACER_JEAGER_ENDPOINT", "auto")
        box, node = start_box(GETPPID), await asyncio.to_thread(start_node)
        session, _ = await asyncio.to_thread(begin, node, box)
        await said(node, session, "no namespace has a service jaeger-collector with port 14268")

        await api.objects.put(jaeger_service("tracing", ip=first.host))
        await asyncio.to_thread(wait_for, lambda: has_calls(first), "spans")
        await api.objects.delete(SERVICES, "jaeger-collector", namespace="tracing")
        await said(node, session, "no namespace has a service")
        await api.objects.put(jaeger_service("observability", ip=second.host))
        await asyncio.to_thread(wait_for, lambda: has_calls(second), "spans elsewhere")
        ended = await asyncio.to_thread(end, node, session)

        await api.objects.delete(SERVICES, "jaeger-collector", namespace="observability")
        await api.stop()
        assert (await asyncio.to_thread(node.ask, "GET", "/healthz"))[0] == 200
    before, after = calls(first.spans), calls(second.spans)
    assert not before & after
    assert_all_delivered(ended, before | after)


def own_address(number: int) -> str:
    """Return a loopback address that no test beside this one has: the port cannot be chosen."""
    pid = os.getpid()
    return f"127.{64 * number + (pid >> 16) % 64}.{(pid >> 8) % 256}.{pid % 254 + 1}"


async def said(node: Node, session: str, words: str) -> None:
    """Wait until a session says it of its exporter."""

    def so() -> bool:
        answer = node.ask("GET", f"/v1/trace-session/{session}")[1][session]
        return any(words in one for one in answer["Error"] or ())

    await asyncio.to_thread(wait_for, so, words)
