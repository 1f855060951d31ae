"""TLS is spoken as it was asked for, or nothing is started: never plain HTTP instead."""

from pathlib import Path

import pytest

from container_tracer.entrypoints.tls_settings import host_name, nodes_tls, server_tls
from tests.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_without_files_there_is_no_tls() -> None:
    assert server_tls(None, None, None, ()) is None
    assert nodes_tls(None, None, None, "nodes") is None


def test_every_file_of_a_server_is_looked_after(authority: Authority) -> None:
    pair = authority.issue("localhost")
    tls = server_tls(pair.certificate, pair.key, authority.file, ("svc",))
    assert tls is not None
    assert tls.paths == (pair.certificate, pair.key, authority.file)
    assert tls.client_names == ("svc",)


def test_every_file_for_nodes_is_looked_after(authority: Authority) -> None:
    pair = authority.issue("svc")
    for one, paths in ((None, ()), (pair, (pair.certificate, pair.key))):
        certificate, key = (one.certificate, one.key) if one else (None, None)
        tls = nodes_tls(authority.file, certificate, key, "nodes")
        assert tls is not None
        assert tls.paths == (authority.file, *paths)


def test_one_is_of_no_use_without_the_other(authority: Authority) -> None:
    pair, ca = authority.issue("localhost"), authority.file
    for wrong, why in (
        ((pair.certificate, None, None, ()), "--certfile and --keyfile"),
        ((None, pair.key, None, ()), "--certfile and --keyfile"),
        ((None, None, ca, ()), "--client-ca-file: of no use without --certfile"),
        ((pair.certificate, None, ca, ()), "--certfile and --keyfile"),
        ((pair.certificate, pair.key, None, ("x",)), "--client-name: of no use without"),
    ):
        with pytest.raises(ValueError, match=why):
            server_tls(*wrong)
    with pytest.raises(ValueError, match="--node-certfile and --node-keyfile"):
        nodes_tls(ca, pair.certificate, None, "nodes")
    with pytest.raises(ValueError, match="--node-certfile: of no use without --node-ca-file"):
        nodes_tls(None, pair.certificate, pair.key, "nodes")


def test_what_cannot_be_used_is_found_out_at_once(authority: Authority) -> None:
    one, other = authority.issue("one"), authority.issue("other")
    with pytest.raises(ValueError, match="cannot be used together"):
        server_tls(one.certificate, other.key, None, ())
    with pytest.raises(ValueError, match="no certificate in PEM form"):
        server_tls(one.certificate, one.key, one.key, ())
    with pytest.raises(ValueError, match="no certificate in PEM form"):
        nodes_tls(one.key, None, None, "nodes")


@pytest.mark.parametrize("name", ["container-tracer-node", "a.b.example", "10.0.0.1", "fd00::1"])
def test_names_of_servers(name: str) -> None:
    assert host_name(name) == name


@pytest.mark.parametrize("name", ["", "*.example", "a b", "a\r\nHost: b", "https://x", "x" * 300])
def test_what_is_no_name_of_a_server(name: str) -> None:
    with pytest.raises(ValueError, match="no name of a server"):
        host_name(name)
