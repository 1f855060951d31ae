"""What an OTLP sink needs of the protocol it speaks."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from .answers import PartialSuccess
from .settings import OtlpSettings


class Transport(Protocol):
    """A connection to one collector; lives as long as a sink."""

    def pack(self, body: bytes) -> bytes:
        """Make a request's body fit for the wire; it may take long, and is called in a thread."""

    async def send(self, packed: bytes) -> PartialSuccess:
        """Send a packed ExportTraceServiceRequest.

        Raises `ExportDelayed` where the specification of OTLP allows to send it again,
        `ExportFailed` where it does not. An answer that says success and cannot be read otherwise
        is success: what was taken cannot be given back.
        """

    async def close(self) -> None:
        """Hang up; again is harmless."""


OpenTransport: TypeAlias = Callable[[OtlpSettings], Awaitable[Transport]]
"""Prepares to connect; raises `ExportFailed` if a certificate cannot be used."""
