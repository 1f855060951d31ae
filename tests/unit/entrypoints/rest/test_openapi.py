"""The description of the API is true."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from referencing import Registry, Resource

from container_tracer.domain.model.selector import InvalidSelector
from container_tracer.entrypoints import rest
from container_tracer.entrypoints.rest.errors import STATUS
from container_tracer.entrypoints.rest.middleware import openapi_path

FILE = Path(rest.__file__).with_name("openapi.json")
API: dict[str, Any] = json.loads(FILE.read_text())


def resolve(value: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in value:
        return value
    found: Any = API
    for key in value["$ref"].removeprefix("#/").split("/"):
        found = found[key]
    assert isinstance(found, dict)
    return found


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    document = Resource.from_contents(
        {"$schema": "https://json-schema.org/draft/2020-12/schema", **API}
    )
    registry = Registry().with_resource("api", document)
    absolute = json.loads(json.dumps(schema).replace('"#/', '"api#/'))
    return Draft202012Validator(absolute, registry=registry)


def answers() -> list[tuple[str, str, str, dict[str, Any]]]:
    return [
        (path, method, status, resolve(answer))
        for path, methods in API["paths"].items()
        for method, operation in methods.items()
        for status, answer in operation["responses"].items()
    ]


def test_it_is_valid_openapi() -> None:
    validate(API)


async def test_it_has_the_routes_of_the_router_and_no_others(node: Any) -> None:
    routed: dict[str, set[str]] = {}
    for route in node.app.router.routes:
        routed.setdefault(openapi_path(route.path), set()).update(route.methods)
    described = {
        path: {method.upper() for method in methods} for path, methods in API["paths"].items()
    }
    # That HEAD goes wherever GET goes is said once, in the description.
    expected = {path: m | ({"HEAD"} if "GET" in m else set()) for path, m in described.items()}
    assert routed == expected


def test_every_problem_has_an_example_that_is_one() -> None:
    for _, _, status, answer in answers():
        if int(status) >= 400:
            media = answer["content"]["application/problem+json"]
            validator(media["schema"]).validate(media["example"])
            assert media["example"]["status"] == int(status)


def test_every_operation_shows_an_example_of_what_it_answers() -> None:
    for path, method, status, answer in answers():
        for media in answer["content"].values():
            schema = resolve(media["schema"])
            shown = "example" in media or "example" in schema
            assert shown or path in {"/openapi.json", "/docs"}, (path, method, status)


def test_examples_fit_their_schemas() -> None:
    for name, schema in API["components"]["schemas"].items():
        if "example" in schema:
            validator({"$ref": f"#/components/schemas/{name}"}).validate(schema["example"])


def test_every_status_of_an_error_is_described_somewhere() -> None:
    described = {status for *_, status, _ in answers()}
    of_svc = {"502"}
    assert {str(int(status)) for status in STATUS.values()} <= described | of_svc


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("get", "/v1/pods", None, 200),
        ("get", "/v1/pods?labels=app,!canary&vmm=true", None, 200),
        ("get", "/v1/pods?labels=,", None, 400),
        ("get", "/v1/trace-hooks", None, 200),
        ("post", "/v1/trace-session", {"trace-hook": "trace_syscalls"}, 201),
        ("post", "/v1/trace-session", {"trace-hook": "trace_syscalls", "pod": "x"}, 404),
        ("post", "/v1/trace-session", {"trace-hook": "x"}, 404),
        ("post", "/v1/trace-session", {"trace-hook": 1}, 400),
        ("post", "/v1/trace-session", {"trace-hook": "trace_syscalls", "pod": "a/b/c"}, 400),
        (
            "post",
            "/v1/trace-session",
            {"trace-hook": "trace_syscalls", "trace-arguments": "--wrong"},
            422,
        ),
        ("get", "/v1/trace-session/{session_id}", None, 200),
        ("get", "/v1/trace-session/{session_id}/summary", None, 200),
        ("get", "/v1/trace-session/{session_id}/summary?buckets=true", None, 200),
        ("get", "/v1/trace-session/{session_id}/summary?buckets=yes", None, 400),
        ("put", "/v1/trace-session/{session_id}", {"Run": True}, 200),
        ("put", "/v1/trace-session/{session_id}", {}, 400),
        ("delete", "/v1/trace-session/{session_id}", None, 200),
        ("get", "/healthz", None, 200),
        ("get", "/readyz", None, 200),
        ("get", "/metrics", None, 200),
        ("get", "/openapi.json", None, 200),
        ("get", "/docs", None, 200),
        ("get", "/debug", None, 200),
        ("get", "/debug?format=json", None, 200),
        ("get", "/debug/tracez", None, 200),
        ("get", "/debug/tracez?format=json&running=true", None, 200),
        ("get", "/debug/tracez?bucket=x", None, 400),
        ("get", "/debug/rpcz", None, 200),
        ("get", "/debug/rpcz?format=json", None, 200),
    ],
)
async def test_real_answers_fit(
    node: Any, method: str, path: str, body: dict[str, Any] | None, status: int
) -> None:
    (session_id,) = (await node.create()).json
    answer = await node.ask(method, path.replace("{session_id}", session_id), json=body)
    assert answer.status == status
    described = resolve(API["paths"][path.partition("?")[0]][method]["responses"][str(status)])
    content = described["content"][answer.media_type]
    whole = answer.json if "json" in answer.media_type else answer.body.decode()
    validator(content["schema"]).validate(whole)
    assert set(described["headers"]) <= set(answer.headers)


async def test_an_answer_has_no_key_that_is_not_described(node: Any) -> None:
    (session,) = (await node.create()).json.values()
    schemas = API["components"]["schemas"]
    (pod,) = (await node.ask("GET", "/v1/pods")).json.values()
    (group,) = (await node.ask("GET", "/v1/trace-hooks")).json.values()
    summaries = f"/v1/trace-session/{session['Id']}/summary?buckets=true"
    (summary,) = (await node.ask("GET", summaries)).json.values()
    for name, real in (
        ("Summary", summary),
        ("CallSummary", summary["Calls"][0]),
        ("Session", session),
        ("Statistics", session["Statistics"]),
        ("SourceStatistics", session["Statistics"]["Source"]),
        ("CpuCounters", session["Statistics"]["Source"]["Cpus"]["0"]),
        ("ExporterStatistics", session["Statistics"]["Exporters"]["console"]),
        ("Container", pod["Containers"]["web"]),
        ("Hook", group["Tracers"]["trace_syscalls"]),
    ):
        assert set(real) == set(schemas[name]["properties"]), name


async def test_it_is_served_as_it_is(node: Any) -> None:
    answer = await node.ask("GET", "/openapi.json")
    assert (answer.media_type, answer.body) == ("application/json", FILE.read_bytes())


def test_a_selector_that_cannot_be_is_described() -> None:
    assert (
        str(int(STATUS[InvalidSelector])) in API["paths"]["/v1/trace-session"]["post"]["responses"]
    )
