"""The node as a program, told of a collector by the environment alone."""

import pytest

from tests.collectors import Received, attributes, beside, grpc_collector, http_collector, is_call

from .conftest import StartBox, StartNode, wait_for

pytestmark = pytest.mark.kernel

GETPPID = "import os, time\nwhile True: os.getppid(); time.sleep(0.001)"


@pytest.mark.parametrize(
    ("protocol", "collector"), [("http/protobuf", http_collector), ("grpc", grpc_collector)]
)
def test_what_a_container_did_arrives_as_traces_that_are_linked_to_their_session(
    protocol: str,
    collector: object,
    start_node: StartNode,
    start_box: StartBox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    received = Received()
    assert callable(collector)
    with beside(collector(received)) as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=blue")
        node, box = start_node("--trace-service-name", "watch"), start_box(GETPPID)
        body = {
            "pod": (pod := box.pod(node)),
            "trace-hook": "trace_syscalls",
            "trace-arguments": "-s getppid",
            "trace-user-context": "who asks?",
            "run": True,
        }
        ((session, made),) = node.ask("POST", "/v1/trace-session", body)[1].items()
        wait_for(lambda: len(received.calls) > 100, "spans")
        path = f"/v1/trace-session/{session}"
        assert node.ask("PUT", path, {"Run": False})[0] == 200
        ended = node.ask("GET", path)[1][session]
    counts = ended["Statistics"]["Exporters"]["otlp"]
    assert (ended["Error"], counts["Dropped"], counts["Pending"]) == (None, 0, 0)
    assert counts["DeliveredSpans"] == len(received.calls) == ended["Statistics"]["Spans"]
    assert counts["Delivered"] == ended["Statistics"]["Passed"]

    spans = received.spans()
    calls = [(resource, span) for resource, span in spans if is_call(span)]
    assert {span.name for _, span in calls} == {"getppid"}
    assert all(0 < span.start_time_unix_nano <= span.end_time_unix_nano for _, span in calls)
    assert {attributes(span.attributes)["process.pid"] for _, span in calls} == {box.pid}
    says = {"service.name": "watch", "team": "blue", "k8s.node.name": node.name}
    assert all(says.items() <= resource.items() for resource, _ in spans)

    (own,) = received.sessions
    assert own.name == "who asks?"
    assert own.trace_id.hex() in made["Output"][0]
    described = attributes(own.attributes)
    assert (described["pod"], described["traceSession"]) == (pod, session)
    roots = {(root.trace_id, root.span_id): root for root in received.roots}
    assert {(span.trace_id, span.parent_span_id) for _, span in calls} == set(roots)
    links = [(link.trace_id, link.span_id) for root in roots.values() for link in root.links]
    assert set(links) == {(own.trace_id, own.span_id)}
    for _, span in calls:
        root = roots[span.trace_id, span.parent_span_id]
        assert root.start_time_unix_nano <= span.start_time_unix_nano
        assert span.end_time_unix_nano <= root.end_time_unix_nano
    assert own.start_time_unix_nano <= min(root.start_time_unix_nano for root in roots.values())
    assert own.end_time_unix_nano >= max(root.end_time_unix_nano for root in roots.values())


def test_a_collector_that_is_not_there_is_said_and_keeps_nobody_from_stopping(
    start_node: StartNode, start_box: StartBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    node, box = start_node(), start_box(GETPPID)
    body = {"pod": box.pod(node), "trace-hook": "trace_syscalls", "run": True}
    (session,) = node.ask("POST", "/v1/trace-session", body)[1]

    def error() -> str:
        return str(node.ask("GET", f"/v1/trace-session/{session}")[1][session]["Error"])

    wait_for(lambda: "refused the connection; retrying" in error(), "the error")
    assert node.stop() < 5
    assert node.process.returncode == 0
