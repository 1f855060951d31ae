"""Nothing a client can send is answered with a 500, or half."""

import asyncio
import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [
        *("pod", "container", "namespace", "labels", "trace-hook", "trace-arguments", "run"),
        *("Run", "trace-user-context", "duration", "max-events", "exporters", "wait-for-pods"),
    ]
)
HOSTILE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def check(answer: Any) -> None:
    """Whole, and either done or a problem that is the client's."""
    assert answer.status < 500 or answer.status == 501
    assert answer.media_type == (
        "application/json" if answer.status < 400 else "application/problem+json"
    )
    assert isinstance(answer.json, dict)
    if answer.status >= 400:
        assert answer.json["status"] == answer.status
        assert answer.json["detail"]


@HOSTILE
@given(body=st.binary(max_size=200))
async def test_any_bytes_as_a_body(node: Any, body: bytes) -> None:
    check(await node.send("POST", "/v1/trace-session", body))
    check(await node.send("PUT", "/v1/trace-session/1", body))


@HOSTILE
@given(value=st.dictionaries(KEYS, JSON))
async def test_any_object_as_a_body(node: Any, value: dict[str, Any]) -> None:
    body = json.dumps({"trace-hook": "trace_syscalls", **value})
    check(await node.send("POST", "/v1/trace-session", body))
    check(await node.ask("GET", "/v1/trace-session/all"))


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"trace-hook":' * 18_000,
        b'{"max-events": ' + b"9" * 200_000 + b"}",
        b'{"duration": NaN}',
        b'{"duration": 1e999}',
        b'{"run": true, "run": false}',
        b'{"pod": "\xff\xfe"}',
        b'{"pod": "\\udfff"}',
        b'{"pod": "\\u0000"}',
        b'{"trace-hook": "trace_syscalls", "trace-user-context": "\\u0000\\n\\u202e"}',
    ],
)
async def test_bodies_that_are_known_to_hurt(node: Any, body: bytes) -> None:
    check(await node.send("POST", "/v1/trace-session", body))


@pytest.mark.parametrize("size", [256 * 1024 + 1, 2**20, 4 * 2**20])
@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/trace-session"), ("PUT", "/v1/trace-session/1"), ("GET", "/v1/pods")],
)
async def test_a_body_that_is_too_large_is_413(
    node: Any, method: str, path: str, content_type: str, size: int
) -> None:
    answer = await node.ask(
        method, path, data=io.BytesIO(b"\0" * size), headers={"Content-Type": content_type}
    )
    check(answer)
    assert answer.status == 413


async def test_a_body_of_just_the_limit_is_read(node: Any) -> None:
    body = b'{"run": true}'.ljust(256 * 1024)
    assert (await node.send("PUT", "/v1/trace-session/1", body)).status == 404
    (session_id,) = (await node.create()).json
    assert (await node.send("PUT", f"/v1/trace-session/{session_id}", body)).status == 200


async def test_a_body_in_chunks_is_limited_too(node: Any) -> None:
    async def chunks() -> Any:
        for _ in range(20):
            yield b" " * 2**16

    answer = await node.send("POST", "/v1/trace-session", chunks())
    assert answer.status == 413


@pytest.mark.parametrize(
    "declared", ["text/plain", "application/x-www-form-urlencoded", "json", "é"]
)
async def test_a_body_that_is_declared_as_something_else_is_415(node: Any, declared: str) -> None:
    for method, path in (("POST", "/v1/trace-session"), ("DELETE", "/v1/trace-session/all")):
        headers = {"Content-Type": declared}
        answer = await node.ask(method, path, data=b"{}", headers=headers)
        check(answer)
        assert answer.status == 415


@pytest.mark.parametrize(
    "declared", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/x+json"]
)
async def test_json_may_be_declared_in_any_way(node: Any, declared: str) -> None:
    body = json.dumps({"trace-hook": "trace_syscalls"})
    headers = {"Content-Type": declared}
    answer = await node.ask("POST", "/v1/trace-session", data=body, headers=headers)
    assert answer.status == 201


async def test_a_body_that_is_not_declared_may_be_json(node: Any) -> None:
    (session_id,) = (await node.create()).json
    answer = await raw(
        node,
        f"PUT /v1/trace-session/{session_id} HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n"
        'Connection: close\r\n\r\n{"Run": true}'.encode(),
    )
    assert answer.startswith(b"HTTP/1.1 200 ")


@HOSTILE
@given(name=st.text(alphabet=st.characters(codec="utf-8"), max_size=50))
async def test_any_path(node: Any, name: str) -> None:
    for path in (f"/v1/trace-session/{name}", f"/v1/{name}", f"/{name}"):
        url = node.http._build_url("/").with_path(path)
        check(await node.ask("DELETE", url))


@HOSTILE
@given(data=st.binary(max_size=200))
async def test_garbage_on_the_connection(node: Any, data: bytes) -> None:
    check_raw(await raw(node, data + b"\r\n\r\n"))
    check_raw(await raw(node, b"GET " + data + b" HTTP/1.1\r\n\r\n"))
    check_raw(await raw(node, b"GET /healthz HTTP/1.1\r\nX: " + data + b"\r\n\r\n"))


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET http://host HTTP/1.1",
        b"GET http://host:99999999/ HTTP/1.1",
        b"CONNECT host:443 HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"GET //v1//pods HTTP/1.1",
        b"GET /v1/trace-session/%ff%00 HTTP/1.1",
        b"GET /v1/pods?%ff=%zz&&&=== HTTP/1.1",
        b"GET /v1/pods#x HTTP/1.1",
        b"GET /\xff HTTP/1.1",
        b"GET / HTTP/9.9",
        b"GET",
        b"get /v1/pods HTTP/1.1",
        b"G\xc3\x89T /v1/pods HTTP/1.1",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1",
        b"PRI * HTTP/2.0",
        b"POST /v1/trace-session HTTP/1.1\r\nContent-Length: -1",
        b"POST /v1/trace-session HTTP/1.1\r\nContent-Length: 99999999999999999999",
        b"POST /v1/trace-session HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2",
        b"POST /v1/trace-session HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz",
        b"POST /v1/trace-session HTTP/1.1\r\nTransfer-Encoding: gzip",
        b"POST /v1/trace-session HTTP/1.1\r\nContent-Length: 2\r\nExpect: wonders\r\n\r\n{}",
        b"GET /v1/pods HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade",
        b"GET /v1/pods HTTP/1.1\r\nX-Request-ID: a\tb\xff",
        b"GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;version=x;escaping=y",
        b"POST /v1/pods HTTP/1.1\r\nContent-Type: \xff\r\nContent-Length: 1\r\n\r\nx",
    ],
)
async def test_requests_that_are_known_to_hurt(node: Any, request_line: bytes) -> None:
    check_raw(await raw(node, request_line + b"\r\n\r\n"))


SMUGGLED = b"DELETE /v1/trace-session/all HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        b"Host: x\r\nContent-Length : %d" % len(SMUGGLED),
        b"Host: x\r\nTransfer-Encoding : chunked",
        b"Host: x\r\nTransfer-Encoding\t: chunked",
        b"Host: x\r\nX: y\r\n folded: z",
        b"Host: x\r\nX: y\r\n\tContent-Length: 5",
        b"Host: x\r\nX: y\nTransfer-Encoding: chunked",
        b"Host: x\r\nX: y\rTransfer-Encoding: chunked",
        b"Host: x\r\nX: y\0",
        b"Host: x\r\n: y",
        b"Host: x\r\nX y: z",
        b"Host: x\r\nHost: y",
        b"Host: x\r\nContent-Length: 0\r\nTransfer-Encoding: chunked",
        b"Host: x\r\nContent-Length: 0\r\nContent-Length: 0",
        b"Host: x\r\nContent-Length: 0x10",
        b"Host: x\r\nContent-Length: +5",
        b"Host: x\r\nTransfer-Encoding: identity",
        b"Host: x\r\nTransfer-Encoding: chunked, chunked",
        b"Host: x\r\nNo-Colon",
    ],
)
async def test_nothing_is_smuggled_behind_headers_that_can_be_read_in_two_ways(
    node: Any, headers: bytes
) -> None:
    (kept,) = (await node.create()).json
    answer = await raw(node, b"GET /healthz HTTP/1.1\r\n" + headers + b"\r\n\r\n" + SMUGGLED)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert re.findall(rb"HTTP/1.1 \d+", answer) == [b"HTTP/1.1 400"]
    assert kept in node.sessions.kept


@pytest.mark.parametrize(
    "session",
    [
        *("ALL", "All", "all%00", "%61ll%20", "all;x", "all%2f", "*", "0x10", "+1", "-1"),
        *("%d9%a1", "1_0", "1e3", "1.0", " 1", "1%20", "1%0a", "9" * 99, "18446744073709551616"),
        *("..", "%2e%2e", "%252e%252e", "..%2fpods", "..%2f..%2fmetrics", "1/../all", "./all"),
    ],
)
async def test_ids_that_are_none_delete_nothing(node: Any, session: str) -> None:
    (kept,) = (await node.create()).json
    target = f"/v1/trace-session/{session}".encode()
    answer = await raw(node, b"DELETE " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert re.match(rb"HTTP/1.1 40[045] |HTTP/1.1 413 ", answer), answer[:100]
    assert kept in node.sessions.kept


@pytest.mark.parametrize("target", [b"host:443", b"http://host:99999999/", b"[", b"http://[::"])
async def test_a_url_that_cannot_be_read_is_400(node: Any, target: bytes) -> None:
    answer = await raw(node, b"GET " + target + b" HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer


async def test_the_server_still_answers_after_all_that(node: Any) -> None:
    await asyncio.gather(*(raw(node, b"\0" * size) for size in range(0, 20_000, 1000)))
    assert (await node.ask("GET", "/healthz")).status == 200


async def test_a_client_that_hangs_up_does_not_stop_a_change_halfway(node: Any) -> None:
    (session_id,) = (await node.create()).json
    node.sessions.gate.clear()
    change = asyncio.create_task(
        node.send("PUT", f"/v1/trace-session/{session_id}", '{"Run": true}')
    )
    await node.sessions.entered.wait()
    change.cancel()
    await asyncio.sleep(0.05)
    node.sessions.gate.set()
    await asyncio.sleep(0.05)
    assert node.sessions.kept[session_id].running


async def test_a_session_whose_client_hangs_up_while_it_is_made_is_deleted_again(node: Any) -> None:
    node.sessions.making.clear()
    request = asyncio.create_task(node.create())
    await until(lambda: bool(node.sessions.kept))
    request.cancel()
    await until(lambda: not any("connection_task" in repr(one) for one in asyncio.all_tasks()))
    assert len(node.sessions.kept) == 1
    node.sessions.making.set()
    await until(lambda: not node.sessions.kept)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - many things can make it true
            await asyncio.sleep(0.01)


async def raw(node: Any, data: bytes, patience_seconds: float = 0.2) -> bytes:
    """Send bytes, and read one whole answer, or what comes before patience ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    answer = b""
    try:
        writer.write(data)
        while not whole(answer):
            chunk = await asyncio.wait_for(reader.read(2**16), patience_seconds)
            if not chunk:
                break
            answer += chunk
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return answer


def whole(answer: bytes) -> bool:
    """Tell whether this is one complete HTTP answer."""
    head, end, body = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    return bool(end and length and len(body) >= int(length[1]))


def check_raw(answer: bytes) -> None:
    """No answer (nothing was asked yet), or a whole one that is no fault of ours."""
    if answer:
        assert whole(answer)
        assert int(answer.split(b" ")[1]) < 500
