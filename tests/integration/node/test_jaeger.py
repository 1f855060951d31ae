"""The node as a program, told of a Jaeger collector by the environment alone."""

import pytest

from container_tracer.fakes.jaeger_collector import FakeJaegerCollector
from tests.collectors import beside

from .conftest import StartBox, StartNode, wait_for

pytestmark = pytest.mark.kernel

GETPPID = "import os, time\nwhile True: os.getppid(); time.sleep(0.001)"


def test_every_span_that_is_counted_as_delivered_is_there_below_its_session(
    start_node: StartNode, start_box: StartBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = FakeJaegerCollector()
    with beside(collector):
        monkeypatch.setenv("JAEGER_ENDPOINT", collector.url)
        monkeypatch.setenv("JAEGER_USER", "me")
        monkeypatch.setenv("JAEGER_PASSWORD", "word")
        node, box = start_node(), start_box(GETPPID)
        body = {
            "pod": box.pod(node),
            "trace-hook": "trace_syscalls",
            "trace-arguments": "-s getppid",
            "run": True,
        }
        ((session, made),) = node.ask("POST", "/v1/trace-session", body)[1].items()
        wait_for(lambda: bool(collector.taken), "spans")
        path = f"/v1/trace-session/{session}"
        assert node.ask("PUT", path, {"Run": False})[0] == 200
        ended = node.ask("GET", path)[1][session]
    spans = collector.spans
    calls = [span for span in spans if span.parent_id and "process.pid" in span.tags]
    roots = {span.span_id: span for span in spans if span.follows}
    (own,) = [span for span in spans if "traceSession" in span.tags and not span.follows]

    counts = ended["Statistics"]["Exporters"]["jaeger"]
    assert (ended["Error"], counts["Dropped"], counts["Pending"]) == (None, 0, 0)
    assert counts["DeliveredSpans"] == len(calls) == ended["Statistics"]["Spans"]
    assert {(call.name, call.tags["process.pid"]) for call in calls} == {("getppid", box.pid)}
    assert {call.parent_id for call in calls} == roots.keys()
    assert {root.follows for root in roots.values()} == {((own.trace_id, own.span_id),)}
    assert own.tags["traceSession"] == session
    assert f"{own.trace_id:032x}" in made["Output"][0]
    assert {one.headers["authorization"] for one in collector.posted} == {"Basic bWU6d29yZA=="}
