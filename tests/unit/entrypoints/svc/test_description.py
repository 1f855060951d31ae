"""The description of svc's API is true."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from referencing import Registry, Resource

from container_tracer.entrypoints.rest.errors import STATUS
from container_tracer.entrypoints.rest.middleware import openapi_path
from container_tracer.entrypoints.rest.routing import node_openapi
from container_tracer.entrypoints.svc.description import svc_description
from container_tracer.fakes.node_client import FakeNodeStream
from container_tracer.ports.errors import NodeUnreachable
from container_tracer.ports.node_client import NodeAnswer

EVENTS = "/v1/trace-session/7/events"
NDJSON = {"Accept": "application/x-ndjson"}
API = svc_description()
NODE: dict[str, Any] = json.loads(node_openapi())


def resolve(value: dict[str, Any]) -> dict[str, Any]:
    found: Any = API
    for key in value.get("$ref", "").removeprefix("#/").split("/") if "$ref" in value else ():
        found = found[key]
    return found if "$ref" in value else value


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    document = Resource.from_contents(
        {"$schema": "https://json-schema.org/draft/2020-12/schema", **API}
    )
    absolute = json.loads(json.dumps(schema).replace('"#/', '"api#/'))
    return Draft202012Validator(absolute, registry=Registry().with_resource("api", document))


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, name, one) for path, some in API["paths"].items() for name, one in some.items()]


def test_it_is_valid_openapi() -> None:
    validate(API)


async def test_it_has_the_routes_of_the_router_and_no_others(svc: Any) -> None:
    routed: dict[str, set[str]] = {}
    for route in svc.app.router.routes:
        routed.setdefault(openapi_path(route.path), set()).update(route.methods)
    described: dict[str, set[str]] = {}
    for path, method, _ in operations():
        described.setdefault(path, set()).add(method.upper())
    assert routed == {
        path: m | ({"HEAD"} if "GET" in m else set()) for path, m in described.items()
    }


def test_it_has_what_the_node_has_and_more() -> None:
    assert API["paths"].keys() == NODE["paths"].keys() | {"/v1/nodes"}
    assert API["components"]["schemas"].keys() > NODE["components"]["schemas"].keys()
    for path, method, operation in operations():
        if path in NODE["paths"]:
            assert NODE["paths"][path][method]["responses"].keys() <= operation["responses"].keys()


def test_every_status_of_an_error_is_described_somewhere() -> None:
    described = {status for *_, operation in operations() for status in operation["responses"]}
    assert {str(int(status)) for status in STATUS.values()} <= described


def test_examples_fit_their_schemas() -> None:
    for schema in API["components"]["schemas"].values():
        if "example" in schema:
            validator(schema).validate(schema["example"])
    for response in API["components"]["responses"].values():
        (media,) = response["content"].values()
        validator(media["schema"]).validate(media["example"])


async def test_it_is_what_is_served(svc: Any) -> None:
    assert (await svc.ask("GET", "/openapi.json")).json == API


async def test_an_answer_has_no_key_that_is_not_described(svc: Any) -> None:
    svc.client.answers["a"] = NodeAnswer(
        status=200,
        content_type="application/json",
        body=json.dumps(example("Sessions")).encode(),
    )
    svc.client.answers["b"] = NodeUnreachable("is away")
    schemas = API["components"]["schemas"]
    answer = await svc.ask("GET", "/v1/trace-session/all")
    (session,) = answer.json.values()
    for name, real in (
        ("Health", (await svc.ask("GET", "/readyz")).json),
        ("Node", (await svc.ask("GET", "/v1/nodes")).json["a"]),
        ("Session", session),
        ("NodeError", session["NodeErrors"][0] | {"more": 1}),
    ):
        assert set(real) == set(schemas[name]["properties"]), name


def example(schema: str) -> Any:
    return NODE["components"]["schemas"][schema]["example"]


@pytest.mark.parametrize(
    ("method", "path", "answered", "status"),
    [
        ("get", "/v1/pods", "Pods", 200),
        ("get", "/v1/nodes", None, 200),
        ("get", "/v1/trace-hooks", "Hooks", 200),
        ("post", "/v1/trace-session", "Sessions", 201),
        ("get", "/v1/trace-session/{session_id}", "Sessions", 200),
        ("get", "/v1/trace-session/{session_id}/summary", "Summaries", 200),
        ("put", "/v1/trace-session/{session_id}", None, 200),
        ("delete", "/v1/trace-session/{session_id}", None, 200),
        ("get", "/v1/pods?node=x", None, 404),
        ("get", "/v1/trace-hooks?node=a&node=b", None, 200),
        ("get", "/v1/trace-hooks?node=b", None, 502),
        ("get", "/readyz", None, 200),
        ("get", "/metrics", None, 200),
    ],
)
async def test_real_answers_fit(
    svc: Any, method: str, path: str, answered: str | None, status: int
) -> None:
    body = json.dumps(example(answered) if answered else {}).encode()
    svc.client.answers["a"] = NodeAnswer(status=200, content_type="application/json", body=body)
    svc.client.answers["b"] = NodeUnreachable("is away")
    bodies = {"post": {"trace-hook": "trace_syscalls"}, "put": {"Run": True}}
    real = path.replace("{session_id}", "7")
    answer = await svc.ask(method, real, json=bodies.get(method))
    assert answer.status == status
    described = resolve(API["paths"][path.partition("?")[0]][method]["responses"][str(status)])
    content = described["content"][answer.media_type]
    whole = answer.json if "json" in answer.media_type else answer.body.decode()
    validator(content["schema"]).validate(whole)
    optional = {"X-Tracer-Node-Errors"}
    assert set(described["headers"]) - optional <= set(answer.headers)


def told(kind: str, **body: Any) -> bytes:
    return json.dumps({"stream": kind, **body}).encode() + b"\n"


async def test_lines_of_streams_are_as_described(svc: Any) -> None:
    schemas = API["components"]["schemas"]
    where = dict.fromkeys(("namespace", "pod", "container", "container_id"), "x")
    lines = [
        told("open", id="1", state="running"),
        told("heartbeat", time="2026-01-01T00:00:01Z", spans=1, lost=0, dropped=0, containers=1),
        told("container", change="joined", containers=2, **where),
        told("dropped", spans=1, events=2),
    ]
    numbers = schemas["Session"]["example"]["Statistics"]
    end = told("end", reason="over", state="stopped", error="", statistics=numbers)
    svc.client.streams = {"a": FakeNodeStream(pieces=[*lines, end])}
    whole = await svc.ask("GET", f"{EVENTS}?node=a", headers=NDJSON)
    svc.client.streams = {"a": FakeNodeStream(pieces=lines)}
    broken = await svc.ask("GET", f"{EVENTS}?node=a", headers=NDJSON)
    shown = [json.loads(line) for got in (whole, broken) for line in got.body.splitlines()]
    assert {"open", "container", "dropped", "node-error", "end"} <= {one["stream"] for one in shown}
    line = validator({"$ref": "#/components/schemas/StreamLine"})
    for one in shown:
        line.validate(one)
