"""How a server is reached, and by whom, as every role that serves the API can be told.

Functions raise `ValueError` with what is wrong.
"""

# ruff: noqa: RUF009 - `option` makes a field, as attrs.field does

from pathlib import Path
from typing import ClassVar, TypeVar

from attrs import Factory, evolve, frozen

from . import tls_settings, values
from .access_settings import AccessSettings, token_file
from .export_settings import ExportSettings
from .options import last, option
from .tls_settings import ServerTls, server_tls
from .values import Address, UnixAddress

DEFAULT_REQUEST_RATE = 200
MAX_REQUEST_RATE = 1_000_000

_Settings = TypeVar("_Settings", bound="ServerSettings")


@frozen(kw_only=True)
class ServerSettings(ExportSettings):
    """What the settings of every role have; a role says by itself what its variables begin with."""

    SECTION = "The API"
    VARIABLES: ClassVar[str]
    """What stands for `{role}` below."""

    address: Address | UnixAddress = option(
        "--address",
        "{role}_API_ADDRESS",
        default=Address("", 8080),
        parse=last(values.address_or_socket),
        meaning="IP:port to listen on, [IPv6]:port, :port for all addresses, or unix:/PATH"
        " for a socket that only its owner may use",
    )
    """Where the API listens."""

    certificate: Path | None = tls_settings.file_option(
        "--certfile",
        "{role}_TLS_CERT",
        meaning="the server's certificate, PEM: only TLS is spoken then; may be replaced",
    )
    """File of the server's certificate and its issuers', or None."""

    key: Path | None = tls_settings.file_option(
        "--keyfile", "{role}_TLS_KEY", meaning="the key of that certificate, PEM"
    )
    """File of that certificate's key, or None."""

    client_authority: Path | None = tls_settings.file_option(
        "--client-ca-file",
        "{role}_CLIENT_CA",
        meaning="certificates, PEM: clients must show one that these have signed",
    )
    """File of the authorities that vouch for clients, or None."""

    client_names: tuple[str, ...] = option(
        "--client-name",
        "{role}_CLIENT_NAMES",
        default=(),
        parse=tls_settings.names,
        split=values.words,
        meaning="a name that a client's certificate must have",
        default_text="any",
        repeatable=True,
    )
    """Names of which a client's certificate must have one, if there are any."""

    tls: ServerTls | None = None
    """What those four come to; None is plain HTTP."""

    auth_token_file: str = option(
        "--auth-token-file",
        "{role}_AUTH_TOKEN_FILE",
        default="",
        parse=last(token_file),
        meaning="a file of bearer tokens, and what each of them allows; without it, everybody"
        " may do everything",
    )
    """File of bearer tokens, which was seen to be usable, or the empty string."""

    auth_kubernetes: bool = option(
        "--auth-kubernetes",
        "{role}_AUTH_KUBERNETES",
        default=False,
        parse=last(values.switch),
        switch=True,
        meaning="take tokens of the Kubernetes cluster, and let its roles decide",
    )
    """Whether the Kubernetes cluster decides who may do what."""

    auth_audience: str = option(
        "--auth-audience",
        "{role}_AUTH_AUDIENCE",
        default="",
        parse=last(values.one_line),
        meaning="with --auth-kubernetes: the audience that tokens must be for",
        default_text="that of the Kubernetes API",
    )
    """Whom its tokens must be for; empty is the API of Kubernetes."""

    access: AccessSettings = Factory(AccessSettings)
    """What those three come to."""

    request_rate: int = option(
        "--max-request-rate",
        "{role}_MAX_REQUEST_RATE",
        default=DEFAULT_REQUEST_RATE,
        parse=last(values.number(0, MAX_REQUEST_RATE)),
        meaning="how many each client may send, twice as many at once; 0 is no limit",
        unit="requests per second",
    )
    """How many requests a second each client may send; 0 is no limit."""

    zpages_address: Address | None = option(
        "",
        "ZPAGES_PORT",
        default=None,
        parse=last(values.address_or_port),
        meaning="IP:port, localhost:port, or a port of this machine only, where the pages of"
        " /debug are too, for anybody who reaches it",
    )
    """Where the zPages listen beside the API, or None."""

    verbose: bool = option(
        "--verbose",
        "TRACE_KUBE_VERBOSE",
        "{role}_VERBOSE",
        default=False,
        parse=last(values.switch),
        switch=True,
        meaning="debug logs",
    )
    """Whether to log what helps to debug."""


def complete_server(settings: _Settings, *, kubeconfig: str = "") -> _Settings:
    """Find out whether certificates work and what was said of access fits together."""
    return evolve(
        settings,
        tls=server_tls(
            settings.certificate, settings.key, settings.client_authority, settings.client_names
        ),
        access=AccessSettings(
            token_file=settings.auth_token_file,
            kubernetes=settings.auth_kubernetes,
            audience=settings.auth_audience,
            kubeconfig=kubeconfig,
        ),
    )
