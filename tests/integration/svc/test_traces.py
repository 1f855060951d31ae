"""A session that is made through svc is one trace: the caller's, svc's, and every node's spans."""

import json
from collections.abc import Callable, Mapping, Sequence

import pytest
from attrs import frozen

from container_tracer.fakes.jaeger_collector import FakeJaegerCollector
from tests.collectors import Received, attributes, beside, http_collector
from tests.integration.node.conftest import Node, StartBox, StartNode, wait_for

from .conftest import StartSvc, Svc

pytestmark = pytest.mark.kernel

GETPPID = "import os, time\nwhile True: os.getppid(); time.sleep(0.001)"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
W3C = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
METHODS = ("GET", "POST", "PUT", "DELETE")
B3 = {"X-B3-TraceId": TRACE, "X-B3-SpanId": SPAN, "X-B3-Sampled": "1"}


@frozen
class Found:
    """A span as any collector shows it; ids are in hexadecimal, `parent` may be empty."""

    trace: str
    span: str
    parent: str
    name: str
    says: Mapping[str, object]


def of_otlp(received: Received) -> list[Found]:
    return [
        Found(
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            span.name,
            attributes(span.attributes),
        )
        for _, span in received.spans()
    ]


def of_jaeger(collector: FakeJaegerCollector) -> list[Found]:
    return [
        Found(
            f"{span.trace_id:032x}",
            f"{span.span_id:016x}",
            f"{span.parent_id:016x}" if span.parent_id else "",
            span.name,
            span.tags,
        )
        for span in collector.spans
    ]


def run_once(svc: Svc, pod: str, headers: Mapping[str, str]) -> tuple[str, set[str]]:
    """Make a session that runs, stop it and delete it; return its path and traces."""
    wanted = {
        "pod": pod,
        "trace-hook": "trace_syscalls",
        "trace-arguments": "-s getppid",
        "trace-user-context": "who asks?",
        "run": True,
    }
    made = svc.ask("POST", "/v1/trace-session", wanted, headers=headers)
    assert (made.status, made.node_errors) == (201, [])
    path = made.headers["Location"]
    assert svc.ask("PUT", path, {"Run": False}, headers=headers).status == 200
    stopped = svc.ask("GET", path, headers=headers).json
    assert {one["Error"] and tuple(one["Error"]) for one in stopped.values()} == {None}
    assert svc.ask("DELETE", path, headers=headers).status == 200
    return path, {one["TraceId"] for one in stopped.values()}


def assert_one_trace(found: list[Found], nodes: list[Node], path: str) -> None:
    """Assert that the caller's trace holds what it should, with no parent missing."""
    ours = [one for one in found if one.trace == TRACE]
    known = {one.span: one for one in ours}
    requests = [one for one in ours if one.name.split()[0] in METHODS]
    assert (len(known), len(requests)) == (len(ours), 4 * (1 + 2 + 2))
    assert {one.parent for one in ours} <= {*known, SPAN}
    names = {node.name for node in nodes}

    servers = {one.name: one for one in ours if one.parent == SPAN}
    item = "/v1/trace-session/{session_id}"
    assert set(servers) == {
        "POST /v1/trace-session",
        f"PUT {item}",
        f"GET {item}",
        f"DELETE {item}",
    }
    make = servers["POST /v1/trace-session"]
    assert make.says["http.response.status_code"] == 201
    assert make.says["container_tracer.group"] == path.rpartition("/")[2]
    assert servers[f"PUT {item}"].says["url.path"] == path
    for server in servers.values():
        legs = [one for one in ours if one.parent == server.span]
        assert {one.says["k8s.node.name"] for one in legs} == names
        assert {one.name for one in legs} == {f"{server.name.split()[0]} tracer-node"}
        on_nodes = [one for leg in legs for one in ours if one.parent == leg.span]
        assert [one.name for one in on_nodes] == [server.name] * 2

    sessions = [one for one in ours if one.name == "who asks?"]
    assert {one.says["node"] for one in sessions} == names
    for session in sessions:
        above = names_above(session, known)
        assert above == ["session start", make.name, "POST tracer-node", make.name]
        assert leg_above(session, known).says["k8s.node.name"] == session.says["node"]
    below = {one.name: names_above(one, known) for one in ours}
    assert below["source open"] == ["session start", *below["session start"]]
    assert below["session stop"] == [f"PUT {item}", "PUT tracer-node", f"PUT {item}"]
    assert below["drain"] == ["session stop", *below["session stop"]]


def names_above(span: Found, known: Mapping[str, Found]) -> list[str]:
    """Name the span above one, the one above that, and so on."""
    above = known.get(span.parent)
    return [above.name, *names_above(above, known)] if above else []


def leg_above(span: Found, known: Mapping[str, Found]) -> Found:
    above = known[span.parent]
    return above if above.name.endswith("tracer-node") else leg_above(above, known)


def assert_log_lines_bear_ids(programs: Sequence[Svc | Node], trace: str, events: set[str]) -> None:
    for program in programs:
        lines = [json.loads(line) for line in program.log.read_text().splitlines()]
        assert events <= {one["event"] for one in lines if one.get("trace_id") == trace}
        assert {len(one["span_id"]) for one in lines if "trace_id" in one} == {16}


def together(
    start_node: StartNode, start_box: StartBox, start_svc: StartSvc
) -> tuple[list[Node], str, Svc]:
    # A container without a cgroup is seen at once by nodes that start after it.
    box, nodes = start_box(GETPPID), [start_node(), start_node()]
    (pod,) = {box.pod(node) for node in nodes}
    return nodes, pod, start_svc(*nodes)


def arrived(find: Callable[[], list[Found]]) -> list[Found]:
    """Wait for the last request's spans, which are sent when it is over."""
    wait_for(lambda: sum(one.name.startswith("DELETE") for one in find()) == 5, "own spans")
    return find()


def test_svc_and_its_nodes_are_in_the_trace_of_the_caller(
    start_node: StartNode,
    start_box: StartBox,
    start_svc: StartSvc,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    received = Received()
    with beside(http_collector(received)) as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        nodes, pod, svc = together(start_node, start_box, start_svc)
        path, traces = run_once(svc, pod, W3C)
        assert traces == {TRACE}
        assert_one_trace(arrived(lambda: of_otlp(received)), nodes, path)

        # Without a caller svc begins the trace; one who does not keep his span is no parent.
        (own,) = run_once(svc, pod, {})[1]
        assert_log_lines_bear_ids((svc, *nodes), TRACE, {"request.answered"})
        for log in nodes:
            assert_log_lines_bear_ids((log,), own, {"session.started", "source.opened"})
        _, not_kept = run_once(svc, pod, {"b3": f"{TRACE[::-1]}-{SPAN}-0"})
        assert max(svc.stop(), *(node.stop() for node in nodes)) < 10
    assert own != TRACE
    assert not_kept == {TRACE[::-1]}
    found = of_otlp(received)
    roots = [one.name for one in found if one.trace == own and not one.parent]
    assert roots == ["POST /v1/trace-session"]
    names = [one.name for one in found if one.trace == own]
    assert [names.count(one) for one in ("who asks?", "session start", "source open")] == [2] * 3
    others = [(one.name, one.parent) for one in found if one.trace == TRACE[::-1]]
    assert others == [("who asks?", "")] * 2
    # What nobody asked for is in no trace of somebody.
    alone = {one.name for one in found if one.name.startswith(("export", "discovery"))}
    assert alone == {"export otlp", "discovery"}
    assert all(one.trace not in (TRACE, own) for one in found if one.name == "export otlp")
    parents = {(one.trace, one.parent) for one in found if one.parent}
    assert parents - {(one.trace, one.span) for one in found} == {(TRACE, SPAN)}


def test_b3_and_jaeger_make_the_same_trace(
    start_node: StartNode,
    start_box: StartBox,
    start_svc: StartSvc,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    collector = FakeJaegerCollector()
    with beside(collector):
        monkeypatch.setenv("JAEGER_ENDPOINT", collector.url)
        nodes, pod, svc = together(start_node, start_box, start_svc)
        path, traces = run_once(svc, pod, B3)
        assert traces == {TRACE}
        assert_one_trace(arrived(lambda: of_jaeger(collector)), nodes, path)
        assert svc.ask("GET", "/v1/pods", headers=B3).status == 200
        assert max(svc.stop(), *(node.stop() for node in nodes)) < 10
    assert len({one.span for one in of_jaeger(collector)}) == len(of_jaeger(collector))


MALFORMED = (
    {"traceparent": "00-" + "g" * 32 + f"-{SPAN}-01", "tracestate": "=,=,"},
    {"traceparent": "ff" * 1000, "b3": "-" * 100},
    {"b3": f"{TRACE}-", "X-B3-TraceId": "0" * 64, "X-B3-SpanId": "\xff"},
    {"X-B3-TraceId": "f" * 33, "X-B3-SpanId": "f" * 17, "X-B3-Sampled": "maybe"},
)


def test_without_an_exporter_svc_invents_no_parent_and_what_cannot_be_read_is_ignored(
    start_node: StartNode, start_box: StartBox, start_svc: StartSvc
) -> None:
    _, pod, svc = together(start_node, start_box, start_svc)
    # One trace for all of the group, although nobody was told of one.
    _, (trace,) = run_once(svc, pod, MALFORMED[0])
    assert trace not in (TRACE, "")
    unmatched = {"pod": "x", "trace-hook": "trace_syscalls"}
    item = "/v1/trace-session/1"
    for headers in MALFORMED:
        for path in ("/v1/pods", "/v1/trace-hooks", "/v1/trace-session/all", "/readyz"):
            assert svc.ask("GET", path, headers=headers).status == 200, (path, headers)
        assert svc.ask("POST", "/v1/trace-session", unmatched, headers).status == 404
        assert svc.ask("PUT", item, {"Run": True}, headers).status == 404
        assert svc.ask("DELETE", item, headers=headers).status == 404
