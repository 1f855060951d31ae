"""Where an OTLP exporter sends spans, and how."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from attrs import field, frozen

OtlpProtocol: TypeAlias = Literal["http/protobuf", "grpc"]


@frozen(kw_only=True)
class OtlpSettings:
    """What `OTEL_EXPORTER_OTLP_*` says; certificates and key are files in PEM form.

    `endpoint` is a whole URL. With gRPC its scheme tells whether the connection is encrypted, and
    `https` is with HTTP.
    """

    endpoint: str = "http://localhost:4318/v1/traces"
    protocol: OtlpProtocol = "http/protobuf"
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    timeout_seconds: float = 10.0
    gzip: bool = False
    certificate: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None

    @property
    def encrypted(self) -> bool:
        """Tell whether TLS is spoken."""
        return urlsplit(self.endpoint).scheme == "https"

    @property
    def address(self) -> str:
        """The endpoint as it may be shown: without user, password, or what a query hides."""
        parts = urlsplit(self.endpoint)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
