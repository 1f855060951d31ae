"""Certificates and keys in files: read, tried out, and turned into what connections are made of.

Every function raises `ValueError` with a sentence that names the file.
"""

import re
import ssl
from enum import Enum
from pathlib import Path
from typing import Any

from attrs import frozen

_CERTIFICATE = re.compile(
    r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.ASCII | re.DOTALL
)


class Side(Enum):
    """Which end of a connection shows a certificate."""

    SERVER = ssl.PROTOCOL_TLS_SERVER
    CLIENT = ssl.PROTOCOL_TLS_CLIENT

    @property
    def other(self) -> "Side":
        """Return who looks at the certificate."""
        return Side.CLIENT if self is Side.SERVER else Side.SERVER


@frozen(kw_only=True)
class KeyPair:
    """The files of a certificate, with those of its issuers after it, and of its key, as PEM."""

    certificate: Path
    key: Path


def new_context(side: Side) -> ssl.SSLContext:
    """Make a context without certificates: TLS 1.2 or newer, ciphers as Python chooses them."""
    context = ssl.SSLContext(side.value)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context


def show(context: ssl.SSLContext, pair: KeyPair, side: Side) -> int:
    """Let a context show a certificate; return until when it is valid, in seconds since 1970.

    A certificate that peers would refuse is refused here: expired, not valid yet, made for
    another purpose, or not that of the key.
    """
    text = _text(pair.certificate)
    _text(pair.key)
    leaf = _CERTIFICATE.search(text)
    if leaf is None:
        raise ValueError(f"{str(pair.certificate)!r} holds no certificate in PEM form")
    _load(context, pair)
    return _valid_until(pair, leaf[0], side)


def trust(context: ssl.SSLContext, authorities: Path) -> None:
    """Let a context believe what these authorities, a file of certificates, have signed."""
    _text(authorities)
    try:
        context.load_verify_locations(authorities)
    except OSError as error:
        raise ValueError(f"{str(authorities)!r} holds no certificate in PEM form") from error


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("ascii", "replace")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ValueError(f"{str(path)!r} cannot be read: {reason}") from error


def _load(context: ssl.SSLContext, pair: KeyPair) -> None:
    try:
        # Without a password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(pair.certificate, pair.key, password="")
    except OSError as error:  # which those of OpenSSL are, too
        reason = getattr(error, "reason", "") or error.strerror or "unreadable"
        said = reason.lower().replace("_", " ")
        raise ValueError(
            f"the certificate in {str(pair.certificate)!r} and the key in {str(pair.key)!r}"
            f" cannot be used together: {said}; both must be PEM, the key without a password"
        ) from error


def _valid_until(pair: KeyPair, leaf: str, side: Side) -> int:
    """Shake hands with ourselves, as a peer that trusts nothing but this very certificate.

    It is how a certificate can be read, and be judged as peers will, by Python's own means.
    """
    try:
        told = _told_to_a_peer(pair, leaf, side)
        return int(ssl.cert_time_to_seconds(told["notAfter"]))
    except ssl.SSLCertVerificationError as error:
        raise ValueError(
            f"the certificate in {str(pair.certificate)!r} cannot be used: {error.verify_message}"
        ) from error
    except ssl.SSLError as error:
        raise ValueError(
            f"the certificate in {str(pair.certificate)!r} cannot be used: {error}"
        ) from error


def _told_to_a_peer(pair: KeyPair, leaf: str, side: Side) -> dict[str, Any]:
    contexts = {one: new_context(one) for one in Side}
    contexts[Side.CLIENT].check_hostname = False
    contexts[Side.CLIENT].verify_mode = ssl.CERT_NONE
    for one in contexts.values():
        _load(one, pair)
    judge = contexts[side.other]
    judge.load_verify_locations(cadata=leaf)
    judge.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    judge.verify_mode = ssl.CERT_REQUIRED
    upwards, downwards = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = {
        Side.CLIENT: contexts[Side.CLIENT].wrap_bio(downwards, upwards),
        Side.SERVER: contexts[Side.SERVER].wrap_bio(upwards, downwards, server_side=True),
    }
    _shake_hands(ends[Side.CLIENT], ends[Side.SERVER])
    return dict(ends[side.other].getpeercert() or {})


def _shake_hands(client: ssl.SSLObject, server: ssl.SSLObject) -> None:
    unfinished = [client, server]
    while unfinished:
        for end in list(unfinished):
            try:
                end.do_handshake()
                unfinished.remove(end)
            except ssl.SSLWantReadError:
                continue
