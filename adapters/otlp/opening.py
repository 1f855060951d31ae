"""Which transport speaks a protocol."""

from .http import HttpTransport
from .settings import OtlpProtocol
from .transport import OpenTransport


def opening(protocol: OtlpProtocol) -> OpenTransport:
    """Load what speaks a protocol."""
    if protocol == "grpc":
        from .grpc import GrpcTransport  # noqa: PLC0415 - 9 MB that only this protocol needs

        return GrpcTransport.open
    return HttpTransport.open
