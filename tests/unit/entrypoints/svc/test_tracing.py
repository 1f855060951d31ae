"""Every request is a span of svc; nodes are told of the one that asks them."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from container_tracer.domain.model.single_span import SingleSpan, SingleSpanKind
from container_tracer.domain.model.trace_context import SpanContext, read_span_context
from container_tracer.ports.errors import NodeUnreachable

from .conftest import node_answer

WANTED = {"pod": "shop", "trace-hook": "trace_syscalls"}
CALLER = SpanContext(trace_id=b"\1" * 16, span_id=b"\2" * 8)
NOT_KEPT = SpanContext(trace_id=b"\1" * 16, span_id=b"\2" * 8, sampled=False)
W3C = {name: one for name, one in CALLER.headers.items() if name == "traceparent"}
B3 = {name: one for name, one in CALLER.headers.items() if name == "b3"}
B3_MULTIPLE = {name: one for name, one in CALLER.headers.items() if name.startswith("X-")}


def told(headers: Mapping[str, str]) -> SpanContext | None:
    return read_span_context(lambda name: [headers[name]] if name in headers else [])


def parted(spans: list[SingleSpan]) -> tuple[SingleSpan, list[SingleSpan]]:
    """Part the span of a request from those of what it asked nodes."""
    (server,) = [one for one in spans if one.kind is SingleSpanKind.SERVER]
    return server, [one for one in spans if one.kind is SingleSpanKind.CLIENT]


@pytest.mark.parametrize("headers", [W3C, B3, B3_MULTIPLE], ids=["w3c", "b3", "b3 multiple"])
async def test_nodes_are_asked_by_spans_below_the_callers(
    svc: Any, headers: dict[str, str]
) -> None:
    made = await svc.ask("POST", "/v1/trace-session", json=WANTED, headers=headers)
    server, legs = parted(await svc.recorded())
    assert (server.trace_id, server.parent_span_id) == (CALLER.trace_id, CALLER.span_id)
    assert server.name == "POST /v1/trace-session"
    assert server.attributes == {
        "container_tracer.request_id": made.headers["X-Request-ID"],
        "container_tracer.hook": "trace_syscalls",
        "container_tracer.run": False,
        "client.address": "127.0.0.1",
        "url.scheme": "http",
        "http.request.method": "POST",
        "http.route": "/v1/trace-session",
        "url.path": "/v1/trace-session",
        "http.request.body.size": len(json.dumps(WANTED)),
        "http.response.body.size": len(made.body),
        "http.response.status_code": 201,
        "container_tracer.group": made.headers["Location"].rpartition("/")[2],
    }
    assert {(one.trace_id, one.parent_span_id) for one in legs} == {
        (CALLER.trace_id, server.span_id)
    }
    asked = {node: told(svc.asked(node)[0].headers) for node in ("a", "b")}
    assert asked == {
        one.attributes["k8s.node.name"]: SpanContext(trace_id=one.trace_id, span_id=one.span_id)
        for one in legs
    }


@pytest.mark.parametrize(
    ("method", "body"), [("PUT", {"Run": True}), ("DELETE", None)], ids=["start", "delete"]
)
async def test_without_a_caller_a_change_begins_a_trace(svc: Any, method: str, body: Any) -> None:
    assert (await svc.ask(method, "/v1/trace-session/7", json=body)).status == 200
    server, legs = parted(await svc.recorded())
    assert (server.name, server.parent_span_id) == (
        f"{method} /v1/trace-session/{{session_id}}",
        b"",
    )
    assert server.attributes["url.path"] == "/v1/trace-session/7"
    assert {one.trace_id for one in legs} == {server.trace_id}
    assert len(legs) == 2


@pytest.mark.parametrize("path", ["/v1/pods", "/v1/trace-hooks", "/v1/trace-session/all"])
async def test_what_only_asks_is_a_span_above_those_of_its_nodes_too(svc: Any, path: str) -> None:
    assert (await svc.ask("GET", path, headers=B3)).status == 200
    server, legs = parted(await svc.recorded())
    assert (server.trace_id, server.parent_span_id) == (CALLER.trace_id, CALLER.span_id)
    assert {one.parent_span_id for one in legs} == {server.span_id}
    assert {told(svc.asked(node)[0].headers) for node in ("a", "b")} == {
        SpanContext(trace_id=one.trace_id, span_id=one.span_id) for one in legs
    }


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/docs", "/nowhere"])
async def test_what_is_not_of_the_api_is_not_exported(svc: Any, path: str) -> None:
    await svc.ask("GET", path, headers=B3)
    assert await svc.recorded() == []


async def test_an_api_request_that_fits_no_route_is_a_span_named_by_its_method(svc: Any) -> None:
    assert (await svc.ask("GET", "/v1/nowhere")).status == 404
    assert (await svc.ask("PATCH", "/v1/pods")).status == 405
    assert (await svc.ask("BREW", "/v1/pods")).status == 405
    spans = await svc.recorded()
    assert [(one.name, one.attributes["http.request.method"]) for one in spans] == [
        ("GET", "GET"),
        ("PATCH", "PATCH"),
        ("HTTP", "_OTHER"),
    ]
    assert [one.attributes["http.response.status_code"] for one in spans] == [404, 405, 405]
    assert not any(one.status_message for one in spans)


async def test_who_does_not_keep_his_span_gets_none_of_ours(svc: Any) -> None:
    headers = {"b3": NOT_KEPT.headers["b3"]}
    made = await svc.ask("POST", "/v1/trace-session", json=WANTED, headers=headers)
    assert made.status == 201
    assert told(svc.asked()[0].headers) == NOT_KEPT
    assert await svc.recorded() == []


@pytest.mark.parametrize(
    ("answer", "status", "failed"),
    [
        (node_answer({"title": "X", "status": 422, "detail": "no"}, 422), 422, False),
        (NodeUnreachable("refuses connections"), 502, True),
    ],
)
async def test_a_request_that_comes_to_nothing_says_so(
    svc: Any, answer: Any, status: int, failed: bool
) -> None:
    svc.client.answers = {"a": answer, "b": answer}
    assert (await svc.ask("POST", "/v1/trace-session", json=WANTED)).status == status
    server, legs = parted(await svc.recorded())
    assert server.attributes["http.response.status_code"] == status
    assert bool(server.status_message) is failed
    assert all(one.status_message for one in legs)


async def test_a_request_that_is_malformed_is_a_span_without_nodes(svc: Any) -> None:
    assert (await svc.ask("POST", "/v1/trace-session", json=[])).status == 400
    server, legs = parted(await svc.recorded())
    assert (server.attributes["http.response.status_code"], server.status_message, legs) == (
        400,
        "",
        [],
    )


async def test_a_client_that_hangs_up_leaves_no_span_without_its_parent(svc: Any) -> None:
    svc.client.hanging = {"a": asyncio.Event()}
    asking = asyncio.create_task(svc.ask("POST", "/v1/trace-session", json=WANTED), name="a client")
    await svc.until(asked=2)
    asking.cancel()
    await svc.until_recorded(SingleSpanKind.SERVER)
    svc.client.hanging["a"].set()
    # Asked to make sessions, and to delete them again.
    await svc.until(asked=4)
    await svc.until_recorded(SingleSpanKind.CLIENT, times=4)
    server, legs = parted(await svc.recorded())
    assert server.attributes["http.response.status_code"] == 499
    assert sorted(one.name for one in legs) == [
        *["DELETE tracer-node"] * 2,
        *["POST tracer-node"] * 2,
    ]
    assert {one.parent_span_id for one in legs} == {server.span_id}


async def test_metrics_count_spans_of_svc_itself(svc: Any) -> None:
    await svc.ask("DELETE", "/v1/trace-session/7")
    assert len(await svc.recorded()) == 3
    shown = (await svc.ask("GET", "/metrics")).body.decode()
    assert 'container_tracer_own_spans_total{exporter="fake",fate="delivered"} 3.0' in shown
    assert 'container_tracer_own_spans_total{exporter="fake",fate="dropped"} 0.0' in shown


async def test_a_context_that_cannot_be_read_changes_the_answer_of_no_route(svc: Any) -> None:
    malformed = {
        "traceparent": f"ff-{'g' * 32}-{'0' * 16}-zz",
        "tracestate": "=,\xff",
        "b3": "1-" * 99,
        "X-B3-TraceId": "f" * 33,
        "X-B3-Flags": "debug",
    }
    bodies: dict[str, Any] = {"POST": WANTED, "PUT": {"Run": True}}
    for route in svc.app.router.routes:
        path = "/" + route.path.replace("<session_id:str>", "7")
        for method in route.methods - {"HEAD"}:
            plain = await svc.ask(method, path, json=bodies.get(method))
            strange = await svc.ask(method, path, json=bodies.get(method), headers=malformed)
            assert strange.status == plain.status, (method, path)
    assert all(told(one.headers) != CALLER for one in svc.asked())
    assert {one.parent_span_id for one in await svc.recorded() if one.kind == "server"} == {b""}
