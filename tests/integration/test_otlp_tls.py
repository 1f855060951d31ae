"""OTLP over TLS: who is trusted, and who has to say who he is."""

import shutil
import ssl
import subprocess
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import grpc
import pytest
from attrs import frozen

from container_tracer.adapters.otlp.settings import OtlpProtocol, OtlpSettings
from container_tracer.adapters.otlp.span_exporter import OtlpSpanExporter
from container_tracer.domain.model.span_attributes import ServiceResource
from container_tracer.fakes.spans import many_spans
from container_tracer.ports.errors import ExportDelayed, ExportFailed
from container_tracer.ports.span_exporter import TraceContext
from tests.collectors import Received, grpc_collector, http_collector


@frozen
class Pair:
    """A key, and a certificate of it that it has signed itself."""

    key: Path
    certificate: Path


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pair, Pair]:
    """Make the collector's pair and ours."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl, to make certificates")
    folder = tmp_path_factory.mktemp("tls")
    made = [Pair(folder / f"{name}.key", folder / f"{name}.pem") for name in ("server", "client")]
    for pair in made:
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1"
        names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
        files = ("-keyout", str(pair.key), "-out", str(pair.certificate))
        subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    return made[0], made[1]


def http_over_tls(
    received: Received, server: Pair, client: Pair | None
) -> AbstractAsyncContextManager[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate, server.key)
    if client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client.certificate)
    return http_collector(received, tls=context)


def grpc_over_tls(
    received: Received, server: Pair, client: Pair | None
) -> AbstractAsyncContextManager[str]:
    credentials = grpc.ssl_server_credentials(
        [(server.key.read_bytes(), server.certificate.read_bytes())],
        root_certificates=client.certificate.read_bytes() if client else None,
        require_client_auth=client is not None,
    )
    return grpc_collector(received, tls=credentials)


@pytest.fixture(
    params=[
        pytest.param(("http/protobuf", http_over_tls), id="http"),
        pytest.param(("grpc", grpc_over_tls), id="grpc"),
    ]
)
def wire(request: pytest.FixtureRequest) -> Any:
    return request.param


async def write(protocol: OtlpProtocol, url: str, **files: Any) -> None:
    settings = OtlpSettings(endpoint=f"{url}/", protocol=protocol, timeout_seconds=5, **files)
    exporter = OtlpSpanExporter(settings=settings, resource=ServiceResource())
    sink = await exporter.open(TraceContext(session_id="1"))
    try:
        await sink.write(many_spans(10))
    finally:
        await sink.close()


async def test_who_has_a_trusted_certificate_gets_spans(
    wire: Any, pairs: tuple[Pair, Pair]
) -> None:
    protocol, collector = wire
    received = Received()
    async with collector(received, pairs[0], None) as url:
        await write(protocol, url, certificate=pairs[0].certificate)
    assert len(received.calls) == 10


async def test_who_has_another_gets_nothing(wire: Any, pairs: tuple[Pair, Pair]) -> None:
    protocol, collector = wire
    received = Received()
    async with collector(received, pairs[0], None) as url:
        for trusted in (None, pairs[1].certificate):
            with pytest.raises(ExportDelayed, match=r"(?i)certificate"):
                await write(protocol, url, certificate=trusted)
    assert received.requests == []


async def test_who_wants_to_know_us_is_shown_our_certificate(
    wire: Any, pairs: tuple[Pair, Pair]
) -> None:
    protocol, collector = wire
    server, client = pairs
    received = Received()
    async with collector(received, server, client) as url:
        with pytest.raises(ExportDelayed):
            await write(protocol, url, certificate=server.certificate)
        assert received.requests == []
        await write(
            protocol,
            url,
            certificate=server.certificate,
            client_certificate=client.certificate,
            client_key=client.key,
        )
    assert len(received.calls) == 10


async def test_files_that_are_gone_meanwhile_are_said_when_a_session_starts(
    wire: Any, tmp_path: Path
) -> None:
    protocol, _ = wire
    with pytest.raises(ExportFailed, match=r"(?i)no such file"):
        await write(protocol, "https://127.0.0.1:9", certificate=tmp_path / "gone.pem")
