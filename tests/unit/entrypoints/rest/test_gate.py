"""Every route of every role is behind the gate: the routers say which there are."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from socket import create_server
from typing import Any, TypeAlias

import aiohttp
import pytest
from attrs import frozen
from dependency_injector import providers
from sanic import Sanic
from structlog.testing import capture_logs

from container_tracer.adapters.tokens.access_control import TokenFileAccessControl
from container_tracer.adapters.tokens.file import TokenFile
from container_tracer.entrypoints.rest.access import gate as gate_of
from container_tracer.entrypoints.rest.app import REQUEST_MAX_BYTES
from container_tracer.entrypoints.rest.context import PROBES, App
from container_tracer.entrypoints.rest.gate import Gate, request_rates
from container_tracer.entrypoints.rest.serving import serving
from container_tracer.entrypoints.svc.settings import read_settings
from container_tracer.entrypoints.svc.wiring import SvcWiring
from container_tracer.entrypoints.values import Address, UnixAddress
from container_tracer.fakes.access_control import FakeAccessControl
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.node_client import FakeNodeClient
from tests.unit.entrypoints.conftest import node_behind

ADMIN = "admin-0123456789abcdef"
EXPIRED = "expired-0123456789abcdef"
SESSION = {"pod": "*", "container": "*", "trace-hook": "trace_syscalls"}
ACTIONS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "DELETE": "delete"}


@frozen
class Server:
    """A role that is served; `routes` are methods and paths, with 1 for an id."""

    app: App
    http: aiohttp.ClientSession

    @property
    def routes(self) -> Iterator[tuple[str, str]]:
        for route in self.app.router.routes:
            path = "/" + route.path.replace("<session_id:str>", "1")
            yield from ((method, path) for method in route.methods)

    @property
    def guarded(self) -> list[tuple[str, str]]:
        return [(method, path) for method, path in self.routes if path not in PROBES]

    async def ask(self, method: str, path: str, **headers: str) -> aiohttp.ClientResponse:
        body = {"POST": SESSION, "PUT": {"Run": True}}.get(method)
        named = {name.replace("_", "-"): one for name, one in headers.items()}
        async with self.http.request(method, path, json=body, headers=named) as answer:
            await answer.read()
            return answer


Serve: TypeAlias = Callable[[Gate], AbstractAsyncContextManager[Server]]


@asynccontextmanager
async def serve_node(gate: Gate) -> AsyncIterator[Server]:
    async with node_behind(gate) as node:
        yield Server(node.app, node.http)


@asynccontextmanager
async def serve_svc(gate: Gate) -> AsyncIterator[Server]:
    Sanic.test_mode = True
    wiring = SvcWiring(settings=read_settings(["--nodes", "n=127.0.0.1:1"], {}))
    wiring.gate.override(providers.Object(gate))
    wiring.client.override(providers.Object(FakeNodeClient()))
    with create_server(("127.0.0.1", 0)) as sock:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        async with serving(wiring.app(), sock), aiohttp.ClientSession(url) as http:
            yield Server(wiring.app(), http)


@pytest.fixture(params=[serve_node, serve_svc])
def serve(request: pytest.FixtureRequest) -> Serve:
    made: Serve = request.param
    return made


def by_tokens(path: Path, **limits: Any) -> Gate:
    """Make a gate of one token, with limits, and one that has expired."""
    entries = [
        {"name": "ci", "token": ADMIN, **limits},
        {"name": "old", "token": EXPIRED, "expires": "2001-01-01"},
    ]
    path.touch(mode=0o600)
    path.write_text(json.dumps({"tokens": entries}))
    file = TokenFile(path)
    file.load()
    return Gate(access=TokenFileAccessControl(file=file, clock=FakeClock()))


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return by_tokens(tmp_path / "tokens")


UNKNOWN: Mapping[str, Mapping[str, str]] = {
    "no token": {},
    "an unknown token": {"Authorization": "Bearer wrong-0123456789abcdef"},
    "a token that is not all there": {"Authorization": f"Bearer {ADMIN[:-1]}"},
    "a token that has expired": {"Authorization": f"Bearer {EXPIRED}"},
    "another scheme": {"Authorization": f"Basic {ADMIN}"},
    "no scheme": {"Authorization": ADMIN},
    "an empty token": {"Authorization": "Bearer "},
    "two tokens": {"Authorization": f"Bearer {ADMIN}, Bearer {ADMIN}"},
    "a cookie": {"Cookie": f"token={ADMIN}"},
}


@pytest.mark.parametrize("headers", UNKNOWN.values(), ids=UNKNOWN)
async def test_no_route_but_the_probes_is_for_the_unknown(
    serve: Serve, gate: Gate, headers: dict[str, str]
) -> None:
    async with serve(gate) as server:
        assert len(server.guarded) >= 12
        for method, path in server.guarded:
            answer = await server.ask(method, path, **headers)
            assert (answer.status, method, path) == (401, method, path)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        for path in PROBES:
            assert (await server.ask("GET", path, **headers)).status in {200, 503}
        assert (await server.ask("GET", "/nowhere", **headers)).status == 401
        assert (await server.ask("PATCH", "/v1/pods", **headers)).status == 401


async def test_the_scheme_is_written_as_anybody_likes(serve: Serve, gate: Gate) -> None:
    async with serve(gate) as server:
        for scheme in ("Bearer", "bearer", "BEARER"):
            answer = await server.ask("GET", "/metrics", Authorization=f"{scheme} {ADMIN}")
            assert answer.status == 200


@pytest.mark.parametrize("action", ["get", "create", "update", "delete"])
async def test_an_action_that_is_not_allowed_is_forbidden_on_every_route(
    serve: Serve, tmp_path: Path, action: str
) -> None:
    others = sorted(set(ACTIONS.values()) - {action})
    async with serve(by_tokens(tmp_path / "tokens", actions=others)) as server:
        api = [one for one in server.guarded if one[1].startswith("/v1/")]
        for method, path in api:
            answer = await server.ask(method, path, Authorization=f"Bearer {ADMIN}")
            forbidden = answer.status == 403
            assert (forbidden, method, path) == (ACTIONS[method] == action, method, path)


async def test_a_hook_and_a_namespace_that_are_not_allowed_are_forbidden(
    serve: Serve, tmp_path: Path
) -> None:
    limits = {"hooks": ["trace_exec"], "namespaces": ["shop"]}
    async with serve(by_tokens(tmp_path / "tokens", **limits)) as server:
        for body, said in (
            (SESSION, "may not use hook 'trace_syscalls'"),
            ({**SESSION, "trace-hook": "trace_exec", "namespace": "bank"}, "namespace 'bank'"),
            ({**SESSION, "trace-hook": "trace_exec", "pod": "bank/*"}, "namespace 'bank'"),
        ):
            headers = {"Authorization": f"Bearer {ADMIN}"}
            async with server.http.post("/v1/trace-session", json=body, headers=headers) as answer:
                assert answer.status == 403
                assert said in (await answer.json())["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_pages_of_other_sites_may_use_no_route(
    serve: Serve, gate: Gate, headers: dict[str, str]
) -> None:
    async with serve(gate) as server:
        for method, path in server.guarded:
            answer = await server.ask(method, path, Authorization=f"Bearer {ADMIN}", **headers)
            assert (answer.status, method, path) == (403, method, path)


async def test_its_own_pages_and_programs_may_use_it(serve: Serve) -> None:
    async with serve(Gate()) as server:
        own = str(server.http._base_url).rstrip("/")
        for headers in ({"Origin": own}, {"Sec_Fetch_Site": "same-origin"}, {}):
            assert (await server.ask("GET", "/docs", **headers)).status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "localhost.evil.example"])
async def test_an_open_local_server_is_not_called_by_a_foreign_name(
    serve: Serve, gate: Gate, host: str
) -> None:
    async with serve(Gate(local=True)) as server:
        for method, path in server.guarded:
            assert (await server.ask(method, path, Host=host)).status == 403
        for own in ("localhost", "LOCALHOST:8080", "localhost.", "127.0.0.1:1", "[::1]:8080"):
            assert (await server.ask("GET", "/metrics", Host=own)).status == 200
    gate.local = True
    async with serve(gate) as server:
        answer = await server.ask("GET", "/metrics", Host=host, Authorization=f"Bearer {ADMIN}")
        assert answer.status == 200


@pytest.mark.parametrize(
    ("address", "local"),
    [
        (Address("127.0.0.1", 1), True),
        (Address("127.1.2.3", 1), True),
        (Address("::1", 1), True),
        (Address("", 1), False),
        (Address("0.0.0.0", 1), False),  # noqa: S104 - not listened on
        (Address("10.0.0.1", 1), False),
        (UnixAddress(Path("/run/x")), False),
    ],
)
def test_a_server_on_loopback_only_is_local(address: Address | UnixAddress, *, local: bool) -> None:
    assert gate_of(Gate().access, address=address, request_rate=0).local is local


async def test_who_asks_too_often_is_told_when_to_come_back(serve: Serve, gate: Gate) -> None:
    gate.rates, gate.now_seconds = request_rates(2), lambda: 0.0
    async with serve(gate) as server:
        mine = {"Authorization": f"Bearer {ADMIN}"}
        statuses = [(await server.ask("GET", "/metrics", **mine)).status for _ in range(5)]
        assert statuses == [200] * 4 + [429]
        assert (await server.ask("GET", "/metrics", **mine)).headers["Retry-After"] == "1"
        assert (await server.ask("GET", "/healthz")).status == 200
        strangers = [(await server.ask("GET", "/metrics")).status for _ in range(5)]
        assert strangers == [401] * 4 + [429]


async def test_no_token_is_in_any_log_or_answer(serve: Serve, gate: Gate) -> None:
    with capture_logs() as logs:
        async with serve(gate) as server:
            for token in (ADMIN, EXPIRED, "wrong-0123456789abcdef"):
                for method, path in server.guarded:
                    headers = {"Authorization": f"Bearer {token}"}
                    body = {"POST": SESSION, "PUT": {"Run": True}}.get(method)
                    async with server.http.request(
                        method, path, json=body, headers=headers, timeout=aiohttp.ClientTimeout(5)
                    ) as answer:
                        assert token not in await answer.text()
    assert len(logs) > 20
    for token in (ADMIN, EXPIRED, "wrong-0123456789abcdef"):
        assert token not in str(logs)


async def test_what_is_no_proper_request_gets_no_further(serve: Serve, gate: Gate) -> None:
    async with serve(gate) as server:
        url = server.http._base_url
        assert url is not None
        for sent in (
            b"GET\r\n\r\n",
            b"\x00\xff\r\n\r\n",
            b"GET /v1/pods HTTP/1.1\r\nHost: x\r\nContent-Length: nine\r\n\r\n",
            b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /v1/pods HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(sent)
            status = (await reader.readline()).split()[1]
            writer.close()
            await writer.wait_closed()
            assert status in {b"400", b"401"}, sent


async def test_a_body_that_is_too_large_is_read_by_no_handler(serve: Serve, gate: Gate) -> None:
    async with serve(gate) as server:
        too_much = b"x" * (REQUEST_MAX_BYTES + 1)
        for token, status in ((ADMIN, 413), ("wrong", 401)):
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            async with server.http.post(
                "/v1/trace-session", data=too_much, headers=headers
            ) as answer:
                assert answer.status == status


async def test_while_nobody_can_decide_nobody_comes_in(serve: Serve) -> None:
    access = FakeAccessControl(tokens={ADMIN: "ci"}, away=True)
    async with serve(Gate(access=access)) as server:
        for method, path in server.guarded:
            answer = await server.ask(method, path, Authorization=f"Bearer {ADMIN}")
            assert (answer.status, method, path) == (503, method, path)
        assert access.questions == []
        assert (await server.ask("GET", "/healthz")).status == 200
