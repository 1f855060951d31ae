"""TLS, as both roles can be told: which files, and who may connect.

Every function raises `ValueError` with what is wrong.
"""

import re
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from . import values
from .certificates import KeyPair, Side, new_context, show, trust
from .options import last, option
from .rest.tls import Loaded

NODE_SERVER_NAME = "container-tracer-node"
"""What the certificate of every node is called, unless said otherwise: it is its service's name."""

MAX_HOST_CHARACTERS = 253
_HOST = re.compile(r"[0-9A-Za-z]([0-9A-Za-z._:-]*[0-9A-Za-z])?")


@frozen(kw_only=True)
class ServerTls:
    """How a server is reached: its certificate, and whose certificates its clients must have.

    Of clients that `client_authority` vouches for, `client_names` may come in; all if it is empty.
    """

    pair: KeyPair
    client_authority: Path | None = None
    client_names: tuple[str, ...] = ()
    side: Side = Side.SERVER

    @property
    def paths(self) -> Sequence[Path]:
        """Name all files."""
        return _present(self.pair.certificate, self.pair.key, self.client_authority)

    def load(self) -> Loaded:
        """Make the context of a server.

        Clients without a certificate are let in and answered with 403, but for health checks,
        whose senders in Kubernetes have none.
        """
        context = new_context(self.side)
        valid_until = show(context, self.pair, self.side)
        if self.client_authority:
            trust(context, self.client_authority)
            context.verify_mode = ssl.CERT_OPTIONAL
        return Loaded(context=context, valid_until=valid_until)


@frozen(kw_only=True)
class NodesTls:
    """How nodes are asked: who vouches for them, what they are called, and what they are shown."""

    authority: Path
    server_name: str
    pair: KeyPair | None = None
    side: Side = Side.CLIENT

    @property
    def paths(self) -> Sequence[Path]:
        """Name all files."""
        pair = self.pair
        return _present(self.authority, *((pair.certificate, pair.key) if pair else ()))

    def load(self) -> Loaded:
        """Make the context of a client."""
        context = new_context(self.side)
        trust(context, self.authority)
        valid_until = show(context, self.pair, self.side) if self.pair else 0
        return Loaded(context=context, valid_until=valid_until)


def server_tls(
    certificate: Path | None, key: Path | None, authority: Path | None, names: Sequence[str]
) -> ServerTls | None:
    """Put together what `--certfile` and its companions say, and find out whether it works."""
    if authority and not certificate and not key:
        raise ValueError("--client-ca-file: of no use without --certfile and --keyfile")
    if names and not authority:
        raise ValueError("--client-name: of no use without --client-ca-file")
    pair = _pair("--certfile", certificate, "--keyfile", key)
    if pair is None:
        return None
    tls = ServerTls(pair=pair, client_authority=authority, client_names=tuple(names))
    tls.load()
    return tls


def nodes_tls(
    authority: Path | None, certificate: Path | None, key: Path | None, server_name: str
) -> NodesTls | None:
    """Put together what `--node-ca-file` and its companions say, and find out whether it works."""
    pair = _pair("--node-certfile", certificate, "--node-keyfile", key)
    if authority is None:
        if pair:
            raise ValueError("--node-certfile: of no use without --node-ca-file")
        return None
    tls = NodesTls(authority=authority, server_name=server_name, pair=pair)
    tls.load()
    return tls


def _pair(
    certificate_flag: str, certificate: Path | None, key_flag: str, key: Path | None
) -> KeyPair | None:
    if certificate and key:
        return KeyPair(certificate=certificate, key=key)
    if certificate or key:
        raise ValueError(f"{certificate_flag} and {key_flag}: one is of no use without the other")
    return None


def _present(*paths: Path | None) -> tuple[Path, ...]:
    return tuple(path for path in paths if path)


def file_option(flag: str, variable: str, *, meaning: str) -> Any:  # noqa: ANN401 - see `option`
    """Declare a field that holds the path of a file, or None."""
    return option(flag, variable, default=None, parse=last(values.path), meaning=meaning)


def names(texts: Sequence[str]) -> tuple[str, ...]:
    """Read names that certificates may have; each counts once."""
    for text in texts:
        if not text or not text.isprintable():
            raise ValueError(f"{text!r} is no name of a certificate")
    return tuple(dict.fromkeys(texts))


def host_name(text: str) -> str:
    """Read the name of a server, as its certificate has it: a DNS name, or an IP address."""
    if not _HOST.fullmatch(text) or len(text) > MAX_HOST_CHARACTERS:
        raise ValueError(f"{text!r} is no name of a server")
    return text
