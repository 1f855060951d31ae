"""The program `tracer-node` speaks TLS as it was told, or does not start."""

import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from container_tracer.entrypoints.certificates import KeyPair
from tests.certificates import Authority

from .conftest import Node, StartNode, wait_for

pytestmark = pytest.mark.kernel


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "certificates")


def client_of(authority: Authority, pair: KeyPair) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.file))
    context.load_cert_chain(pair.certificate, pair.key)
    return context


def test_new_certificates_are_shown_without_a_restart(
    start_node: StartNode, authority: Authority
) -> None:
    pair, ours = authority.issue("127.0.0.1"), authority.issue("svc")
    node = start_node(
        *("--certfile", str(pair.certificate), "--keyfile", str(pair.key)),
        *("--client-ca-file", str(authority.file), "--client-name", "svc"),
        client=client_of(authority, ours),
    )
    assert node.ask("GET", "/v1/trace-session/all") == (200, {})
    plain = node.url.replace("https", "http")
    with pytest.raises(OSError, match=r"(?i)remote|reset"):
        urllib.request.urlopen(f"{plain}/healthz", timeout=20)  # noqa: S310 - the URL is ours
    later = Authority(authority.folder / "later")
    new = later.issue("127.0.0.1")
    for target, source in ((pair.certificate, new.certificate), (pair.key, new.key)):
        target.write_bytes(source.read_bytes())
    node.client = client_of(later, ours)
    wait_for(lambda: is_trusted(node), "the new certificate")
    assert "tls.reloaded" in node.log.read_text()


def is_trusted(node: Node) -> bool:
    try:
        return node.ask("GET", "/healthz")[0] == 200
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            return False
        raise


def test_what_cannot_be_used_is_said_in_a_line_and_nothing_is_started(authority: Authority) -> None:
    pair, other = authority.issue("127.0.0.1"), authority.issue("other")
    for flags, why in (
        (("--certfile", pair.certificate), "--certfile and --keyfile: one is of no use"),
        (("--certfile", pair.certificate, "--keyfile", other.key), "key values mismatch"),
        (("--certfile", "/no/such", "--keyfile", pair.key), "'/no/such' cannot be read"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "container_tracer.entrypoints.node", *flags],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        (line,) = done.stderr.splitlines()
        assert (done.returncode, done.stdout) == (2, "")
        assert why in line
