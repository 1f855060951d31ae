"""Certificates are judged when they are loaded, as peers will judge them."""

import shutil
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from container_tracer.entrypoints.certificates import KeyPair, Side, new_context, show, trust
from tests.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.mark.parametrize("side", Side)
def test_it_is_told_until_when_a_certificate_is_valid(authority: Authority, side: Side) -> None:
    until = datetime(2040, 2, 3, 4, 5, 6, tzinfo=UTC)
    pair = authority.issue("localhost", not_after=until)
    assert show(new_context(side), pair, side) == until.timestamp()


@pytest.mark.parametrize("side", Side)
def test_an_expired_certificate_is_refused(authority: Authority, side: Side) -> None:
    pair = authority.issue("localhost", not_after=datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(ValueError, match=r"localhost.pem' cannot be used: certificate has expired"):
        show(new_context(side), pair, side)


def test_a_key_of_another_certificate_is_refused(authority: Authority) -> None:
    one, other = authority.issue("one"), authority.issue("other")
    mixed = KeyPair(certificate=one.certificate, key=other.key)
    with pytest.raises(ValueError, match=r"one.pem' and the key in .*other.key'.*mismatch"):
        show(new_context(Side.SERVER), mixed, Side.SERVER)


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl, to make certificates")
@pytest.mark.parametrize("side", Side)
def test_a_certificate_is_for_its_purpose_only(tmp_path: Path, side: Side) -> None:
    pair = KeyPair(certificate=tmp_path / "one.pem", key=tmp_path / "one.key")
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x"
    usage = f"extendedKeyUsage={side.name.lower()}Auth"
    files = ("-keyout", str(pair.key), "-out", str(pair.certificate))
    subprocess.run([*make.split(), "-addext", usage, *files], check=True, capture_output=True)
    assert show(new_context(side), pair, side)
    with pytest.raises(ValueError, match=r"cannot be used: uns[a-z]+ certificate purpose"):
        show(new_context(side.other), pair, side.other)


def test_files_that_hold_something_else_are_refused(authority: Authority) -> None:
    pair = authority.issue("one")
    for wrong, why in (
        (KeyPair(certificate=pair.key, key=pair.key), "no certificate in PEM form"),
        (KeyPair(certificate=pair.certificate, key=pair.certificate), "cannot be used together"),
        (KeyPair(certificate=Path("/no/such"), key=pair.key), "'/no/such' cannot be read: no such"),
        (KeyPair(certificate=pair.certificate, key=Path("/no/such")), "'/no/such' cannot be read"),
        (KeyPair(certificate=authority.folder, key=pair.key), "cannot be read: is a directory"),
    ):
        with pytest.raises(ValueError, match=why):
            show(new_context(Side.SERVER), wrong, Side.SERVER)
    with pytest.raises(ValueError, match="no certificate in PEM form"):
        trust(new_context(Side.CLIENT), pair.key)
    with pytest.raises(ValueError, match="cannot be read"):
        trust(new_context(Side.CLIENT), Path("/no/such"))


def test_nothing_older_than_tls_1_2_is_spoken() -> None:
    for side in Side:
        assert new_context(side).minimum_version == ssl.TLSVersion.TLSv1_2
