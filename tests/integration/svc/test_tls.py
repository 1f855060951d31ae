"""Between svc and the nodes, both sides show who they are; what does not fit is said, by node."""

import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from container_tracer.entrypoints.certificates import KeyPair
from tests.certificates import Authority
from tests.integration.node.conftest import StartNode, wait_for

from .conftest import StartSvc

pytestmark = pytest.mark.kernel

NODE = "container-tracer-node"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "certificates")


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.file))


def showing(pair: KeyPair, prefix: str = "--") -> tuple[str, ...]:
    return (f"{prefix}certfile", str(pair.certificate), f"{prefix}keyfile", str(pair.key))


def test_nodes_answer_only_svc_and_svc_takes_over_new_certificates(
    start_node: StartNode, start_svc: StartSvc, authority: Authority
) -> None:
    node, svc, front = authority.issue(NODE), authority.issue("svc"), authority.issue("127.0.0.1")
    # To ask a node directly, as this test does, takes what svc has, and its name.
    client = trusting(authority)
    client.load_cert_chain(svc.certificate, svc.key)
    client.check_hostname = False
    flags = (*showing(node), "--client-ca-file", str(authority.file), "--client-name", "svc")
    nodes = [start_node(*flags, client=client) for _ in range(2)]
    trusted = ("--node-ca-file", str(authority.file))
    server = start_svc(
        *nodes,
        flags=(*showing(front), *showing(authority.issue("somebody-else"), "--node-"), *trusted),
        client=trusting(authority),
    )
    stranger = server.ask("GET", "/v1/pods")
    assert stranger.status == 403
    assert "somebody-else, which is not allowed" in stranger.json["detail"]

    changed = authority.issue("somebody-else")
    late = start_svc(*nodes, flags=(*showing(changed, "--node-"), *trusted))
    _replace(changed, authority.issue("svc"))
    wait_for(lambda: "tls.reloaded" in late.log.read_text(), "svc to see the change")
    answer = late.ask("GET", "/v1/trace-hooks")
    assert (answer.status, answer.node_errors) == (200, [])


def _replace(target: KeyPair, source: KeyPair) -> None:
    target.certificate.write_bytes(source.certificate.read_bytes())
    target.key.write_bytes(source.key.read_bytes())


def test_nodes_that_cannot_be_trusted_are_named_with_the_reason(
    start_node: StartNode, start_svc: StartSvc, authority: Authority
) -> None:
    stranger = Authority(authority.folder / "stranger")
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    nodes = [
        start_node(*showing(authority.issue(NODE)), client=blind),
        start_node(*showing(authority.issue("other-name")), client=blind),
        start_node(*showing(stranger.issue(NODE)), client=blind),
        start_node(),
    ]
    svc = start_svc(*nodes, flags=("--node-ca-file", str(authority.file)))
    answer = svc.ask("GET", "/v1/trace-hooks")
    assert answer.status == 200
    details = {one["node"]: one["detail"] for one in answer.node_errors}
    assert set(details) == {one.name for one in nodes[1:]}
    assert "certificate is not valid for 'container-tracer-node'" in details[nodes[1].name]
    assert "certificate that cannot be trusted" in details[nodes[2].name]
    failed = svc.ask("GET", f"/v1/trace-hooks?node={nodes[1].name}")
    assert failed.status == 502
    assert "certificate is not valid" in failed.json["detail"]


def test_what_cannot_be_used_is_said_in_a_line_and_nothing_is_started(authority: Authority) -> None:
    pair, other = authority.issue("127.0.0.1"), authority.issue("other")
    mixed = KeyPair(certificate=pair.certificate, key=other.key)
    for flags, why in (
        (("--keyfile", pair.key), "--certfile and --keyfile: one is of no use"),
        (showing(mixed), "key values mismatch"),
        (("--certfile", "/no/such", "--keyfile", pair.key), "'/no/such' cannot be read"),
        (("--node-ca-file", "/no/such"), "'/no/such' cannot be read"),
        (showing(pair, "--node-"), "--node-certfile: of no use without --node-ca-file"),
        (("--node-server-name", "a b"), "--node-server-name: 'a b' is no name of a server"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "container_tracer.entrypoints.svc", *map(str, flags)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        (line,) = done.stderr.splitlines()
        assert (done.returncode, done.stdout) == (2, "")
        assert why in line
