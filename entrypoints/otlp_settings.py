"""The exporter `otlp`, as the OpenTelemetry specification lets it be configured: by variables.

Every function raises `ValueError` with the variable's name and what is wrong; values of headers
are never shown, since they are secrets.
"""

import re
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from ..adapters.otlp.settings import OtlpProtocol, OtlpSettings
from . import values
from .options import NONE, Variable

PREFIX = "OTEL_EXPORTER_OTLP_"
MAX_TIMEOUT_MS = 600_000
"""Who says 0, which is no limit, gets this."""

_TRACES_ALONE = f"{PREFIX}TRACES_"
_HTTP_ENDPOINT, _GRPC_ENDPOINT = "http://localhost:4318", "http://localhost:4317"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = frozenset(
    {
        "content-type",
        "content-length",
        "content-encoding",
        "transfer-encoding",
        "accept-encoding",
        "connection",
        "te",
    }
)
_DEFAULT_PROTOCOL: OtlpProtocol = "http/protobuf"
_T = TypeVar("_T")


def _both(
    what: str, meaning: str, *, default: str = NONE, unit: str = ""
) -> tuple[Variable, Variable]:
    """Describe a variable for all signals, and that for traces alone, which wins."""
    for_all = Variable(name=f"{PREFIX}{what}", meaning=meaning, default=default, unit=unit)
    of_traces = "the same of traces alone: it wins"
    return for_all, Variable(
        name=f"{_TRACES_ALONE}{what}", meaning=of_traces, default=for_all.name, unit=unit
    )


VARIABLES = (
    *_both(
        "ENDPOINT",
        "http or https URL of a collector; with http/protobuf, /v1/traces is added to it, but not"
        " to that of traces alone; with grpc also HOST:PORT",
        default=f"{_HTTP_ENDPOINT}, with grpc {_GRPC_ENDPOINT}",
    ),
    *_both("PROTOCOL", "http/protobuf or grpc", default=_DEFAULT_PROTOCOL),
    *_both("HEADERS", "key=value,key=value, with values percent-encoded; never shown or logged"),
    *_both(
        "TIMEOUT",
        f"how long a request may take, at most {MAX_TIMEOUT_MS}, which is also what 0 means",
        default="10000",
        unit="milliseconds",
    ),
    *_both("COMPRESSION", "gzip or none", default="none"),
    *_both(
        "CERTIFICATE",
        "file of the authorities that vouch for the collector, PEM",
        default="those of the system",
    ),
    *_both("CLIENT_CERTIFICATE", "file of the certificate that it is shown, PEM"),
    *_both("CLIENT_KEY", "file of the key of that certificate, PEM"),
    *_both(
        "INSECURE",
        "true: no TLS, with grpc and an endpoint without http:// or https://",
        default="false",
    ),
)


def names_otlp_collector(environ: Mapping[str, str]) -> bool:
    """Tell whether a variable says where a collector is."""
    return bool(_given(environ, "ENDPOINT")[1])


def otlp_settings(environ: Mapping[str, str]) -> OtlpSettings:
    """Read the variables for all signals and those for traces, which win."""
    protocol: OtlpProtocol = _read(environ, "PROTOCOL", _protocol, default=_DEFAULT_PROTOCOL)
    client_certificate = _read(environ, "CLIENT_CERTIFICATE", _file, default=None)
    client_key = _read(environ, "CLIENT_KEY", _file, default=None)
    if (client_certificate is None) != (client_key is None):
        raise ValueError(
            f"{PREFIX}CLIENT_CERTIFICATE and {PREFIX}CLIENT_KEY: one is of no use without the other"
        )
    settings = OtlpSettings(
        endpoint=_endpoint(environ, protocol),
        protocol=protocol,
        headers=_read(environ, "HEADERS", _headers, default={}),
        timeout_seconds=_read(environ, "TIMEOUT", _timeout, default=10.0),
        gzip=_read(environ, "COMPRESSION", _gzip, default=False),
        certificate=_read(environ, "CERTIFICATE", _file, default=None),
        client_certificate=client_certificate,
        client_key=client_key,
    )
    _check_files(settings)
    return _for_grpc(settings) if protocol == "grpc" else settings


def _given(environ: Mapping[str, str], what: str) -> tuple[str, str]:
    """Return the variable that counts and its value; an empty one is as good as none."""
    for name in (f"{_TRACES_ALONE}{what}", f"{PREFIX}{what}"):
        if value := environ.get(name, "").strip():
            return name, value
    return f"{PREFIX}{what}", ""


def _read(environ: Mapping[str, str], what: str, parse: Callable[[str], _T], *, default: _T) -> _T:
    name, value = _given(environ, what)
    if not value:
        return default
    try:
        return parse(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _protocol(text: str) -> OtlpProtocol:
    match text.lower():
        case "grpc":
            return "grpc"
        case "http/protobuf":
            return "http/protobuf"
        case "http/json":
            raise ValueError("http/json is not spoken; write http/protobuf or grpc")
        case _:
            raise ValueError(f"{text!r} is no protocol; write http/protobuf or grpc")


def _timeout(text: str) -> float:
    return (values.number(0, MAX_TIMEOUT_MS)(text) or MAX_TIMEOUT_MS) / 1_000


def _gzip(text: str) -> bool:
    if text.lower() not in ("gzip", "none"):
        raise ValueError(f"{text!r} is no compression; write gzip or none")
    return text.lower() == "gzip"


def _endpoint(environ: Mapping[str, str], protocol: OtlpProtocol) -> str:
    """Return a whole URL. The endpoint for all signals is completed by the path of traces."""
    name, text = _given(environ, "ENDPOINT")
    insecure = _read(environ, "INSECURE", values.switch, default=False)
    grpc = protocol == "grpc"
    if not text:
        text = _GRPC_ENDPOINT if grpc else _HTTP_ENDPOINT
    try:
        parts = _url(_with_scheme(text, insecure=insecure) if grpc else text)
        if grpc and (parts.path.strip("/") or parts.query):
            raise ValueError(f"{_shown(parts)!r} has a path, which gRPC has no use for")  # noqa: TRY301
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    path = parts.path
    if not grpc and "_TRACES_" not in name:
        path = f"{path.rstrip('/')}/v1/traces"
    return urlunsplit((parts.scheme, parts.netloc, path or "/", parts.query, ""))


def _with_scheme(text: str, *, insecure: bool) -> str:
    """Complete `host:port`: encrypted unless the variable INSECURE says otherwise."""
    if "://" in text:
        return text
    return f"{'http' if insecure else 'https'}://{text}"


def _url(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - it is checked when it is looked at
    except ValueError as error:
        raise ValueError(f"it is no URL: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{_shown(parts)!r} is no URL of the form http://HOST:PORT")
    if parts.fragment or not text.isprintable() or " " in text:
        raise ValueError(f"{_shown(parts)!r} has characters that no endpoint has")
    return parts


def _shown(parts: SplitResult) -> str:
    """Write a URL without user and password."""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _headers(text: str) -> dict[str, str]:
    """Read `key=value,key=value`, percent-encoded as W3C baggage is."""
    read = {}
    for number, pair in enumerate(filter(None, map(str.strip, text.split(","))), start=1):
        key, equals, value = pair.partition("=")
        key, value = unquote(key.strip()).lower(), unquote(value.strip())
        if not equals or not _TOKEN.fullmatch(key):
            raise ValueError(f"header {number} is no key=value; values are percent-encoded")
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"the value of {key!r} has characters that no header has")
        if key in _OURS:
            raise ValueError(f"{key!r} is set by the exporter itself")
        read[key] = value
    return read


def _file(text: str) -> Path:
    path = values.path(text)
    try:
        path.read_bytes()
    except OSError as error:
        raise ValueError(f"{text!r} cannot be read: {(error.strerror or '').lower()}") from error
    return path


def _check_files(settings: OtlpSettings) -> None:
    """Find out now what would otherwise fail with the first session."""
    try:
        if settings.certificate:
            ssl.create_default_context(cafile=str(settings.certificate))
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"{PREFIX}CERTIFICATE: no certificate in PEM form: {error}") from error
    try:
        if settings.client_certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_cert_chain(settings.client_certificate, settings.client_key, password="")
    except (OSError, ssl.SSLError) as error:
        raise ValueError(
            f"{PREFIX}CLIENT_CERTIFICATE and {PREFIX}CLIENT_KEY do not fit together: {error}"
        ) from error


def _for_grpc(settings: OtlpSettings) -> OtlpSettings:
    reserved = [key for key in settings.headers if key.startswith("grpc-") or key.endswith("-bin")]
    if reserved:
        raise ValueError(f"{PREFIX}HEADERS: {reserved[0]!r} cannot be sent with gRPC")
    return settings
