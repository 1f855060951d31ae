"""A Jaeger agent on loopback, with the spans it has got."""

import asyncio
from types import TracebackType
from typing import Self

from attrs import define, field
from opentelemetry.exporter.jaeger.thrift.gen.agent.Agent import Processor
from opentelemetry.exporter.jaeger.thrift.gen.jaeger.ttypes import Batch
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.transport.TTransport import TMemoryBuffer

from .jaeger_collector import CollectedSpan, spans_of


@define
class _Handler:
    """What the generated code calls for each message."""

    batches: list[Batch] = field(factory=list)

    def emitBatch(self, batch: Batch) -> None:  # noqa: N802 - as in agent.thrift
        batch.validate()
        self.batches.append(batch)


def read_packet(packet: bytes) -> list[CollectedSpan]:
    """Read the spans of a packet."""
    return spans_of(read_emitted(packet))


def read_emitted(packet: bytes) -> Batch:
    """Read a packet as agents do, all of it."""
    buffer, handler = TMemoryBuffer(packet), _Handler()
    Processor(handler).process(TCompactProtocol(buffer), None)
    if rest := buffer.read(1):
        raise ValueError(f"{rest!r} comes after the message")
    (batch,) = handler.batches
    return batch


@define(eq=False)
class FakeJaegerAgent(asyncio.DatagramProtocol):
    """Keeps the packets it got; `spans` reads them.

    As an async context manager it listens from the beginning to the end; in between it may be
    stopped and started, at the same port.
    """

    host: str = "127.0.0.1"
    port: int = 0
    packets: list[bytes] = field(factory=list)
    _transport: asyncio.DatagramTransport | None = None
    _came: asyncio.Event = field(factory=asyncio.Event)

    @property
    def spans(self) -> list[CollectedSpan]:
        """All spans, in order."""
        return [span for one in self.packets for span in read_packet(one)]

    async def until(self, packets: int) -> None:
        """Wait until so many packets have come."""
        while len(self.packets) < packets:
            self._came.clear()
            await self._came.wait()

    async def start(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=(self.host, self.port)
        )
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    async def stop(self) -> None:
        """Listen no more."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
            await asyncio.sleep(0)  # it closes its socket then

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - as asyncio calls it
        """Keep a packet."""
        self.packets.append(data)
        self._came.set()

    async def __aenter__(self) -> Self:
        """Listen."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        await self.stop()
