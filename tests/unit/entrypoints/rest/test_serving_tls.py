"""A server with TLS speaks nothing else, and lets in whom its certificates say."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import create_server
from typing import Any, TypeAlias

import aiohttp
import pytest
from attrs import define
from sanic import Blueprint, Sanic
from sanic.response import HTTPResponse

from container_tracer.domain.services.own_spans import OwnSpans
from container_tracer.entrypoints.certificates import KeyPair
from container_tracer.entrypoints.rest import serving as serving_module
from container_tracer.entrypoints.rest.app import build_app
from container_tracer.entrypoints.rest.client_certificates import client_certificates
from container_tracer.entrypoints.rest.context import Context
from container_tracer.entrypoints.rest.gate import Gate
from container_tracer.entrypoints.rest.metrics import Metrics
from container_tracer.entrypoints.rest.serving import serving
from container_tracer.entrypoints.rest.tls import RotatingTls
from container_tracer.entrypoints.tls_settings import ServerTls
from container_tracer.fakes.clock import FakeClock
from tests.certificates import Authority

SERVER = "localhost"


@define
class Server:
    """A running server of two pages, `/pods` and `/healthz`."""

    authority: Authority
    tls: RotatingTls
    port: int

    async def get(self, path: str, client: ssl.SSLContext) -> tuple[int, Any]:
        """Ask with a connection of its own."""
        connector = aiohttp.TCPConnector(force_close=True)
        url = f"https://127.0.0.1:{self.port}{path}"
        async with (
            aiohttp.ClientSession(connector=connector) as http,
            http.get(url, ssl=client, server_hostname=SERVER) as answer,
        ):
            return answer.status, await answer.json(content_type=None)

    def client(self, pair: KeyPair | None = None) -> ssl.SSLContext:
        """Make what a client connects with that trusts the server's authority."""
        context = ssl.create_default_context(cafile=str(self.authority.file))
        if pair:
            context.load_cert_chain(pair.certificate, pair.key)
        return context


Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[Server]]


async def page(_request: Any) -> HTTPResponse:
    return HTTPResponse("{}", content_type="application/json")


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    authority = Authority(tmp_path / "server")

    @asynccontextmanager
    async def start(**how: Any) -> AsyncIterator[Server]:
        Sanic.test_mode = True
        files = ServerTls(pair=authority.issue(SERVER), **how)
        pages = Blueprint("pages")
        pages.add_route(page, "/pods", name="pods")
        pages.add_route(page, "/healthz", name="healthz")
        context = Context(metrics=Metrics(), spans=OwnSpans(clock=FakeClock()))
        app = build_app("test-tls", context, [pages], Gate(), client_certificates(files))
        tls = RotatingTls(use="server", files=files)
        tls.load()
        with create_server(("127.0.0.1", 0)) as sock:
            async with serving(app, sock, tls=tls.context, grace_seconds=0.5):
                yield Server(authority, tls, sock.getsockname()[1])

    return start


async def test_it_answers_over_tls(serve: Serve) -> None:
    async with serve() as server:
        assert await server.get("/pods", server.client()) == (200, {})


async def test_plain_http_is_not_answered(serve: Serve) -> None:
    async with serve() as server, aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientError):
            await http.get(f"http://127.0.0.1:{server.port}/pods")
        assert await server.get("/pods", server.client()) == (200, {})


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
async def test_old_tls_is_refused(serve: Serve, version: ssl.TLSVersion) -> None:
    async with serve() as server:
        client = server.client()
        loosen(client, version)
        client.maximum_version = version
        with pytest.raises(aiohttp.ClientError):
            await server.get("/pods", client)
        assert set(server.tls.refused) == {"unsupported protocol"}
        loosen(vars(server.tls.context)["current"], version)
        assert await server.get("/pods", client) == (200, {})


def loosen(context: ssl.SSLContext, version: ssl.TLSVersion) -> None:
    """Let a context speak what was given up long ago."""
    context.minimum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")


async def test_tls_1_2_is_spoken(serve: Serve) -> None:
    async with serve() as server:
        client = server.client()
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        assert await server.get("/pods", client) == (200, {})


async def test_a_client_must_show_a_certificate_of_the_authority(
    serve: Serve, tmp_path: Path
) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    past = datetime.now(UTC) - timedelta(minutes=1)
    async with serve(client_authority=ours.file) as server:
        assert await server.get("/pods", server.client(ours.issue("svc"))) == (200, {})
        status, problem = await server.get("/pods", server.client())
        assert (status, problem["detail"]) == (
            403,
            "This server answers clients that show a certificate; none was shown.",
        )
        for wrong in (theirs.issue("svc"), ours.issue("late", not_after=past)):
            with pytest.raises((aiohttp.ClientError, ConnectionError)):
                await server.get("/pods", server.client(wrong))
        reasons = {"unable to get local issuer certificate", "certificate has expired"}
        assert set(server.tls.refused) == reasons


async def test_paths_that_are_not_there_are_kept_from_clients_without_certificate(
    serve: Serve, tmp_path: Path
) -> None:
    ours = Authority(tmp_path / "ours")
    async with serve(client_authority=ours.file) as server:
        for path in ("/nothing", "/healthz/..%2fpods", "/healthz/../pods", "//healthz", "/POD"):
            assert (await server.get(path, server.client()))[0] == 403


async def test_health_is_told_to_clients_without_certificate(serve: Serve, tmp_path: Path) -> None:
    async with serve(client_authority=Authority(tmp_path / "ours").file) as server:
        assert await server.get("/healthz", server.client()) == (200, {})


async def test_of_clients_with_a_certificate_only_those_of_the_names_may_come(
    serve: Serve, tmp_path: Path
) -> None:
    ours = Authority(tmp_path / "ours")
    async with serve(client_authority=ours.file, client_names=("svc", "admin")) as server:
        for good in (ours.issue("svc"), ours.issue("x", common_name="admin", file="admin")):
            assert await server.get("/pods", server.client(good)) == (200, {})
        status, problem = await server.get("/pods", server.client(ours.issue("svc.example")))
        assert status == 403
        assert "svc.example, which is not allowed" in problem["detail"]


async def test_new_files_are_for_new_connections_and_old_connections_go_on(
    serve: Serve, tmp_path: Path
) -> None:
    ours, next_ones = Authority(tmp_path / "ours"), Authority(tmp_path / "next")
    async with serve(client_authority=ours.file) as server:
        old = server.client(ours.issue("svc"))
        url = f"https://127.0.0.1:{server.port}/pods"
        async with aiohttp.ClientSession() as http:
            how: Any = {"ssl": old, "server_hostname": SERVER}
            assert (await http.get(url, **how)).status == 200
            ours.file.write_bytes(next_ones.file.read_bytes())
            server.tls.look()
            assert (await http.get(url, **how)).status == 200
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await server.get("/pods", old)
        assert await server.get("/pods", server.client(next_ones.issue("svc"))) == (200, {})


async def test_a_certificate_is_replaced_while_requests_come(serve: Serve, tmp_path: Path) -> None:
    async with serve() as server:
        client = server.client()
        other = Authority(tmp_path / "other")
        client.load_verify_locations(other.file)
        ending = asyncio.Event()

        async def ask() -> int:
            done = 0
            while not ending.is_set():
                assert await server.get("/pods", client) == (200, {})
                done += 1
            return done

        asking = [asyncio.create_task(ask()) for _ in range(3)]
        for authority in (other, server.authority, other):
            new, pair = authority.issue(SERVER, file="new"), server.tls.files.paths
            # Between the two writes they do not fit, which a look may see.
            for target, source in zip(pair, (new.certificate, new.key), strict=True):
                target.write_bytes(source.read_bytes())
                server.tls.look()
            assert not server.tls.failure
            assert await server.get("/pods", client) == (200, {})
        ending.set()
        assert min(await asyncio.gather(*asking)) > 0


async def test_clients_that_say_nothing_are_let_go_and_keep_nobody_waiting(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_module, "HANDSHAKE_SECONDS", 0.5)
    async with serve() as server:
        silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(100)]
        assert await server.get("/pods", server.client()) == (200, {})
        for reader, writer in silent:
            assert await asyncio.wait_for(reader.read(), 10) == b""
            writer.close()
