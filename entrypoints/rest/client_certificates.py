"""Clients that must show a certificate: who is let in.

The TLS handshake refuses certificates that are not vouched for; what is decided here is what
becomes of clients that show none, and of those whose name is not one of the allowed.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen
from sanic.exceptions import SanicException

from ..tls_settings import ServerTls
from .context import PROBES, Req


class ClientCertificateRefused(SanicException):
    """A client showed no certificate, or one of a name that may not come in."""

    status_code = 403
    quiet = True


@frozen
class ClientCertificates:
    """The rule of a server that wants certificates: of these names, or of any if there are none."""

    names: Sequence[str] = ()

    def check(self, request: Req) -> None:
        """Refuse who may not come in, before the request is handled."""
        if request.path in PROBES:
            return
        shown = request.transport.get_extra_info("peercert")
        if not shown:
            raise ClientCertificateRefused(
                "This server answers clients that show a certificate; none was shown."
            )
        given = tuple(names_of(shown))
        if self.names and not set(self.names) & set(given):
            raise ClientCertificateRefused(
                f"The certificate names {', '.join(given)[:200] or 'nobody'},"
                " which is not allowed to use this server."
            )


def client_certificates(tls: ServerTls | None) -> ClientCertificates | None:
    """Return the rule of a server, or None if it wants no certificates."""
    if tls is None or tls.client_authority is None:
        return None
    return ClientCertificates(tls.client_names)


def names_of(certificate: Mapping[str, Any]) -> Iterator[str]:
    """Yield the common name and the alternative names of a certificate, as `ssl` reads it."""
    for part in certificate.get("subject", ()):
        for kind, name in part:
            if kind == "commonName":
                yield name
    for kind, name in certificate.get("subjectAltName", ()):
        if kind in ("DNS", "URI", "IP Address", "email"):
            yield name
