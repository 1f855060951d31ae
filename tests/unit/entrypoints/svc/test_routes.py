"""What svc asks nodes for its clients, and what it makes of their answers."""

import asyncio
import json
from typing import Any

import pytest

from container_tracer.ports.errors import NodeUnreachable
from container_tracer.ports.node_client import NodeAnswer

from .conftest import headers_of

JSON = "application/json"
WANTED = {"pod": "shop", "trace-hook": "trace_syscalls"}
READING = (
    "/v1/pods",
    "/v1/trace-hooks",
    "/v1/trace-session/all",
    "/v1/trace-session/7",
    "/v1/trace-session/7/summary",
)


def answer(body: object, status: int = 200) -> NodeAnswer:
    kind = JSON if status < 400 else "application/problem+json"
    return NodeAnswer(status=status, content_type=kind, body=json.dumps(body).encode())


def refusal(status: int, detail: str) -> NodeAnswer:
    return answer({"type": "urn:x", "title": "X", "status": status, "detail": detail}, status)


@pytest.mark.parametrize("path", READING)
async def test_what_is_asked_is_asked_of_every_node(svc: Any, path: str) -> None:
    got = await svc.ask("GET", f"{path}?pod=a%26b=%C3%A9&pod=c&x=")
    assert (got.status, got.media_type, got.json) == (200, JSON, {})
    for node in ("a", "b"):
        (request,) = svc.asked(node)
        assert (request.method, request.body) == ("GET", b"")
        assert request.target == f"{path}?pod=a%26b%3D%C3%A9&pod=c&x="


@pytest.mark.parametrize("path", READING)
async def test_an_answer_has_no_body_where_its_head_was_asked_for(svc: Any, path: str) -> None:
    got = await svc.ask("HEAD", path)
    assert (got.status, got.body) == (200, b"")
    assert svc.asked()[0].method == "GET"


async def test_only_chosen_headers_go_on(svc: Any) -> None:
    sent = {
        "Authorization": "Bearer t",
        "X-Request-ID": "r-1",
        "Cookie": "c=1",
        "X-Forwarded-For": "6.6.6.6",
        "Accept": "text/html",
        "Accept-Encoding": "br",
        "User-Agent": "me",
        "Range": "bytes=0-1",
    }
    await svc.ask("GET", "/v1/pods", headers=sent)
    assert headers_of(svc.asked()[0]) == {
        "Authorization": "Bearer t",
        "X-Request-ID": "r-1",
        "Accept": JSON,
    }


async def test_a_header_given_twice_does_not_go_on(svc: Any) -> None:
    await svc.ask("GET", "/v1/pods", headers=[("Authorization", "a"), ("Authorization", "b")])
    assert "Authorization" not in svc.asked()[0].headers


async def test_nodes_are_chosen_by_name(svc: Any) -> None:
    svc.client.answers = {"a": answer({"web": {}}), "b": answer({"web": {}})}
    assert set((await svc.ask("GET", "/v1/pods")).json) == {"a/web", "b/web"}
    only = await svc.ask("GET", "/v1/pods?node=b&namespace=x")
    assert set(only.json) == {"web"}
    assert svc.asked("b")[-1].target == "/v1/pods?namespace=x"
    unknown = await svc.ask("GET", "/v1/pods?node=a&node=c")
    assert (unknown.status, unknown.json["title"]) == (404, "Unknown node")


async def test_nodes_are_listed(svc: Any) -> None:
    svc.unready(c="image is being pulled")
    listed = (await svc.ask("GET", "/v1/nodes")).json
    assert {name: one["Ready"] for name, one in listed.items()} == {
        "a": True,
        "b": True,
        "c": False,
    }
    assert (listed["a"]["Address"], listed["c"]["Reason"]) == (
        "10.0.0.1:8080",
        "image is being pulled",
    )
    assert list((await svc.ask("GET", "/v1/nodes?node=c")).json) == ["c"]
    svc.forget_nodes()
    assert (await svc.ask("GET", "/v1/nodes")).json == {}


@pytest.mark.parametrize("path", READING)
async def test_nodes_that_fail_are_named_and_the_others_are_shown(svc: Any, path: str) -> None:
    svc.client.answers["b"] = NodeUnreachable("does not answer within 10 s")
    svc.unready(c="starts")
    got = await svc.ask("GET", path)
    assert (got.status, got.node_errors) == (200, {"b": 502, "c": 503})
    svc.client.answers["a"] = refusal(503, "No tracefs.")
    failed = await svc.ask("GET", path)
    assert (failed.status, failed.media_type) == (502, "application/problem+json")
    assert failed.node_errors == {"a": 503, "b": 502, "c": 503}
    assert "a: No tracefs; b: does not answer within 10 s" in failed.json["detail"]


@pytest.mark.parametrize("path", [*READING, "/readyz"])
async def test_without_a_node_there_is_one_problem_that_says_so(svc: Any, path: str) -> None:
    svc.forget_nodes()
    got = await svc.ask("GET", path)
    assert (got.status, got.json["title"]) == (503, "No nodes")
    assert got.json["status"] == 503


async def test_a_session_has_one_id_on_all_nodes(svc: Any) -> None:
    svc.client.answers = {
        "a": answer({"1": {"Id": "1"}}, 201),
        "b": refusal(404, "Nothing matches."),
    }
    made = await svc.ask("POST", "/v1/trace-session", json=WANTED)
    assert (made.status, made.json, made.node_errors) == (201, {"1": {"Id": "1"}}, {})
    bodies = [json.loads(request.body) for _, request in svc.client.asked]
    assert bodies[0] == bodies[1]
    group = bodies[0].pop("group")
    assert bodies[0] == WANTED
    assert 0 < int(group) < 2**64
    assert made.headers["Location"] == f"/v1/trace-session/{group}"
    again = await svc.ask("POST", "/v1/trace-session", json=WANTED)
    assert again.headers["Location"] != made.headers["Location"]


async def test_sessions_say_which_nodes_failed(svc: Any) -> None:
    svc.client.answers = {"a": answer({"1": {"Id": "1"}}), "b": NodeUnreachable("is away")}
    shown = (await svc.ask("GET", "/v1/trace-session/1")).json
    assert shown["1"]["NodeErrors"][0]["node"] == "b"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/trace-session", {**WANTED, "group": "7"}, 400),
        ("POST", "/v1/trace-session", {"pod": "x"}, 400),
        ("POST", "/v1/trace-session", [], 400),
        ("PUT", "/v1/trace-session/7", {}, 400),
        ("PUT", "/v1/trace-session/all", {"Run": True}, 404),
        ("PUT", "/v1/trace-session/x", {"Run": True}, 404),
        ("GET", "/v1/trace-session/%2e%2e", None, 404),
        ("GET", "/v1/trace-session/7%2f..", None, 404),
        ("DELETE", "/v1/trace-session/18446744073709551616", None, 404),
    ],
)
async def test_what_cannot_be_is_refused_before_any_node_is_asked(
    svc: Any, method: str, path: str, body: object, status: int
) -> None:
    assert (await svc.ask(method, path, json=body)).status == status
    assert svc.client.asked == []


async def test_sessions_are_changed_and_deleted_on_all_nodes(svc: Any) -> None:
    svc.client.answers["b"] = refusal(404, "There is no such session.")
    for run in (True, False):
        assert (await svc.ask("PUT", "/v1/trace-session/007", json={"Run": run})).json == {}
    assert [json.loads(one.body) for one in svc.asked("b")] == [{"Run": True}, {"Run": False}]
    for path in ("/v1/trace-session/7", "/v1/trace-session/all"):
        assert (await svc.ask("DELETE", path)).json == {}
        assert (svc.asked("b")[-1].method, svc.asked("b")[-1].target) == ("DELETE", path)
    svc.client.answers["a"] = svc.client.answers["b"]
    gone = await svc.ask("DELETE", "/v1/trace-session/7")
    assert (gone.status, gone.json["detail"]) == (404, "There is no such session.")


async def test_a_problem_of_the_nodes_is_passed_on_whole(svc: Any) -> None:
    svc.client.answers["b"] = refusal(422, "It takes: -s NAME.")
    svc.client.answers["a"] = NodeUnreachable("is away")
    got = await svc.ask("POST", "/v1/trace-session", json=WANTED)
    assert (got.status, got.media_type) == (422, "application/problem+json")
    assert (got.json["type"], got.json["title"], got.json["detail"]) == (
        "urn:x",
        "X",
        "It takes: -s NAME.",
    )
    assert got.node_errors == {"a": 502, "b": 422}


async def test_who_is_unknown_to_nodes_is_told_how_to_make_himself_known(svc: Any) -> None:
    svc.client.answers = dict.fromkeys("ab", refusal(401, "No token was given."))
    got = await svc.ask("GET", "/v1/pods")
    assert (got.status, got.json["detail"]) == (401, "No token was given.")
    assert got.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_client_that_hangs_up_takes_its_question_back(svc: Any) -> None:
    svc.client.hanging = {"a": asyncio.Event()}
    asking = asyncio.create_task(svc.ask("GET", "/v1/pods"))
    await svc.until(asked=2)
    asking.cancel()
    async with asyncio.timeout(10):
        while not svc.client.cancelled:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
    assert svc.client.cancelled == ["a"]


async def test_a_session_whose_client_hangs_up_is_deleted_where_it_was_made(svc: Any) -> None:
    svc.client.hanging = {"a": asyncio.Event()}
    asking = asyncio.create_task(svc.ask("POST", "/v1/trace-session", json=WANTED))
    await svc.until(asked=2)
    asking.cancel()
    await asyncio.wait([asking])
    svc.client.hanging["a"].set()
    await svc.until(asked=4)
    (group,) = {json.loads(request.body)["group"] for _, request in svc.client.asked[:2]}
    assert {(one.method, one.target) for _, one in svc.client.asked[2:]} == {
        ("DELETE", f"/v1/trace-session/{group}")
    }


async def test_metrics_count_what_came_of_asking_nodes(svc: Any) -> None:
    svc.client.answers["b"] = NodeUnreachable("is away")
    await svc.ask("GET", "/v1/pods")
    shown = (await svc.ask("GET", "/metrics")).body.decode()
    assert 'container_tracer_node_requests_total{outcome="done"} 1.0' in shown
    assert 'container_tracer_node_requests_total{outcome="failed"} 1.0' in shown
    assert 'container_tracer_node_requests_total{outcome="refused"} 0.0' in shown


async def test_the_probes_tell_how_it_is(svc: Any) -> None:
    assert (await svc.ask("GET", "/healthz")).json == {"status": "ok"}
    svc.unready(c="starts")
    ready = {"status": "ready", "nodes": 2, "unready": 1, "stale": ""}
    assert (await svc.ask("GET", "/readyz")).json == ready
    svc.stale = "The nodes are those of 60 s ago: The API is away."
    assert (await svc.ask("GET", "/readyz")).json == {**ready, "stale": svc.stale}
