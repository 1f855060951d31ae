"""Nothing a client sends to svc changes where, what, or as whom svc asks; nor does a node."""

import asyncio
import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from container_tracer.ports.node_client import NodeAnswer, NodeRequest

from .conftest import TRACE_HEADERS, headers_of

HOSTILE = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
TARGET = re.compile(
    r"/v1/(pods|trace-hooks|trace-session(/(all|[0-9]{1,20})(/(summary|events))?)?)"
    r"(\?[A-Za-z0-9%=&+._*~-]*)?"
)
HEADERS = {"X-Request-ID", "Accept", "Authorization", "Content-Type"} | TRACE_HEADERS


async def raw(svc: Any, data: bytes) -> bytes:
    """Send a request that is the last of its connection, and read all that is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", svc.port)
    writer.write(data.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
    try:
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def check_asked(requests: list[NodeRequest]) -> None:
    """What nodes are asked is of their API, and says no more than svc means to say."""
    for one in requests:
        assert TARGET.fullmatch(one.target), one.target
        assert set(one.headers) <= HEADERS
        for value in one.headers.values():
            assert value.isascii()
            assert value.isprintable()


@pytest.mark.parametrize(
    "target",
    [
        "/v1/trace-session/..",
        "/v1/trace-session/%2e%2e",
        "/v1/trace-session/%252e%252e%252fmetrics",
        "/v1/trace-session/1%2f..%2fall",
        "/v1/trace-session/all%2fevents",
        "/v1/trace-session/1%3fnode=b",
        "/v1/trace-session/1%23",
        "/v1/trace-session/@10.0.0.9:80",
        "/v1/trace-session/1@evil.example",
        "/v1/trace-session/%0d%0aHost:%20evil.example",
        "/v1/trace-session/ALL",
        "/v1/trace-session/+1",
        "/v1/trace-session/%d9%a1",
        "/v1/../metrics",
        "/v1/%2e%2e/metrics",
        "//evil.example/v1/pods",
        "/v1//pods",
        "/v1/pods%00",
        "/v1/pods/..%2ftrace-hooks",
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_paths_that_are_none_reach_no_node(svc: Any, method: str, target: str) -> None:
    answer = await raw(svc, f"{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert re.match(rb"HTTP/1.1 40[045] ", answer), answer[:200]
    assert svc.client.asked == []


@pytest.mark.parametrize(
    "target", ["http://evil.example/v1/pods", "http://10.0.0.9:1/v1/pods", "/v1/pods"]
)
async def test_the_host_of_a_request_has_no_say(svc: Any, target: str) -> None:
    await raw(svc, f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{svc.port}\r\n\r\n".encode())
    assert {one.target for one in svc.asked("a")} <= {"/v1/pods"}
    assert {name for name, _ in svc.client.asked} <= {"a", "b"}


@HOSTILE
@given(data=st.binary(max_size=60))
async def test_any_query(svc: Any, data: bytes) -> None:
    query = data.replace(b"\r", b"").replace(b"\n", b"").replace(b" ", b"+")
    for path in (b"/v1/pods?", b"/v1/pods?pod=", b"/v1/pods?node=", b"/v1/trace-session/1?"):
        answer = await raw(svc, b"GET " + path + query + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert re.match(rb"HTTP/1.1 [24]\d\d ", answer), answer[:200]
    check_asked([one for _, one in svc.client.asked])


@pytest.mark.parametrize(
    "query",
    [
        "pod=%0d%0aX-Evil:%201",
        "pod=a%26node%3db",
        "pod=%23&x=%3f",
        "pod=%ff%fe",
        "pod=%ed%a0%80",
        "pod=%00",
        "&&=&==",
    ],
)
async def test_a_query_reaches_nodes_as_it_was_understood(svc: Any, query: str) -> None:
    await svc.ask("GET", "/healthz")
    await raw(svc, f"GET /v1/pods?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    requests = svc.asked("a")
    check_asked(requests)
    for one in requests:
        assert "node" not in dict(parse_qsl(urlsplit(one.target).query))


async def test_only_chosen_headers_reach_nodes(svc: Any) -> None:
    given = {
        "Authorization": "Bearer secret-of-the-client",
        "X-Request-ID": "7",
        "Cookie": "a=b",
        "X-Forwarded-For": "10.0.0.9",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "for=10.0.0.9",
        "X-Real-IP": "10.0.0.9",
        "Proxy-Authorization": "Basic eDp5",
        "Via": "1.1 x",
        "TE": "trailers",
        "Expect": "100-continue",
        "Range": "bytes=0-1",
        "If-None-Match": "*",
        "Accept-Encoding": "gzip",
        "Impersonate-User": "admin",
        "X-Remote-User": "admin",
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    await raw(svc, f"GET /v1/pods HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode())
    (asked,) = svc.asked("a")
    assert headers_of(asked) == {
        "Authorization": "Bearer secret-of-the-client",
        "X-Request-ID": "7",
        "Accept": "application/json",
    }


@pytest.mark.parametrize(
    "value", [b"Bearer a\xc3\xa9", b"Bearer a\x01b", b"Bearer a\r\nAuthorization: Bearer b"]
)
async def test_a_token_that_is_none_is_not_sent_on(svc: Any, value: bytes) -> None:
    head = b"GET /v1/pods HTTP/1.1\r\nHost: localhost\r\nAuthorization: "
    await raw(svc, head + value + b"\r\n\r\n")
    assert not [one for one in svc.asked("a") if "Authorization" in one.headers]


EVIL = "https://evil.example/"


@pytest.mark.parametrize(
    "answer",
    [
        NodeAnswer(status=302, content_type="text/html", body=f'<a href="{EVIL}">'.encode()),
        NodeAnswer(status=200, content_type="text/html", body=b"<script>alert(1)</script>"),
        NodeAnswer(status=200, content_type="application/json", body=b"[]"),
        NodeAnswer(status=200, content_type="application/json", body=b'"x"'),
        NodeAnswer(status=200, content_type="application/json", body=b"{} {}"),
        NodeAnswer(status=200, content_type="application/json", body=b'{"a": NaN}'),
        NodeAnswer(status=200, content_type="application/json", body=b"\xff\xfe{}"),
        NodeAnswer(status=200, content_type="application/json", body=b"[" * 100_000),
        NodeAnswer(status=400, content_type="text/html", body=b"<script>alert(1)</script>"),
        NodeAnswer(status=401, content_type="", body=b""),
        NodeAnswer(status=101, content_type="", body=b""),
        NodeAnswer(status=204, content_type="", body=b""),
        NodeAnswer(status=999, content_type="application/json", body=b"{}"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/pods", "/v1/trace-hooks", "/v1/trace-session/all"])
async def test_what_a_node_answers_amiss_is_not_passed_on(
    svc: Any, path: str, answer: NodeAnswer
) -> None:
    svc.client.answers["a"] = answer
    got = await svc.ask("GET", path, allow_redirects=False)
    assert (got.status, got.json) == (200, {})
    assert list(got.node_errors) == ["a"]
    alone = await svc.ask("GET", f"{path}?node=a", allow_redirects=False)
    assert alone.status in {400, 401, 502}
    assert alone.media_type == "application/problem+json"
    assert "Location" not in alone.headers
    assert EVIL.encode() not in alone.body
    assert b"<script>" not in alone.body


async def test_what_a_node_says_of_itself_cannot_add_headers(svc: Any) -> None:
    problem = {"title": "No\r\nSet-Cookie: a=b", "status": 400, "detail": "é\r\n\0" + "x" * 9000}
    svc.client.answers["a"] = NodeAnswer(
        status=400, content_type="application/problem+json", body=json.dumps(problem).encode()
    )
    got = await svc.ask("GET", "/v1/pods")
    assert (got.status, got.node_errors) == (200, {"a": 400})
    assert "Set-Cookie" not in got.headers
    assert len(got.headers["X-Tracer-Node-Errors"]) < 7000
