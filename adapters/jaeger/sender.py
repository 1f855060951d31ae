"""What the exporters need of whoever takes spans: a collector over HTTP, or an agent over UDP."""

from typing import Protocol

from attrs import frozen

from .thrift_values import ThriftBatch

TOO_LARGE = "jaeger: a span is too large to be sent"


@frozen
class Packet:
    """What is sent at once, and how many of the batch's spans are in it, one after the other.

    Without a `body` these spans cannot be sent at all: they are too large, and lost.
    """

    body: bytes
    spans: int


class JaegerSender(Protocol):
    """A way to one destination; lives as long as a sink."""

    def packets(self, batch: ThriftBatch) -> list[Packet]:
        """Encode a batch: all its spans, in order; it may take long, and is called in a thread."""

    async def send(self, body: bytes) -> None:
        """Send a packet.

        Raises `ExportDelayed` if the same packet may be sent again later, and `ExportFailed` if it
        will never be taken.
        """

    async def close(self) -> None:
        """Hang up; again is harmless."""


class JaegerAddress(Protocol):
    """Where spans go."""

    @property
    def shown(self) -> str:
        """How people are told of it."""

    def open(self) -> JaegerSender:
        """Prepare to send; nothing is connected yet."""
