"""A Jaeger agent that comes and goes by chance: the kernel refuses what it is sent meanwhile."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from attrs import define, field

from container_tracer.fakes.jaeger_agent import read_packet

from .exchanges import MARK, Fault
from .ledger import Ledger, SentSpan, sent_to_jaeger

HOST = "127.0.77.1"
"""An address on loopback of which nobody else takes a port that is free for a while."""


def read_jaeger_packet(packet: bytes) -> list[SentSpan]:
    """Read a packet with Jaeger's own code."""
    return sent_to_jaeger(read_packet(packet))


@define(eq=False)
class FlakyAgent:
    """Takes packets while it is up; what the kernel has taken for it is read before it goes."""

    ledger: Ledger
    port: int = 0
    _socket: socket.socket | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"udp://{HOST}:{self.port}"

    def come(self) -> None:
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((HOST, self.port))
        self.port = self._socket.getsockname()[1]
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def go(self) -> None:
        if self._socket is not None:
            self._read()
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    async def come_and_go(self) -> None:
        """Be away a third of the time, all of it if nobody is to answer, until all is calm."""
        exchanges = self.ledger.exchanges
        while exchanges.faults:
            self.go()
            exchanges.begin().fault = Fault.REFUSES
            await asyncio.sleep(0.05 * exchanges.drawn.random())
            if exchanges.hushed:
                await asyncio.Event().wait()
            self.come()
            await asyncio.sleep(0.1 * exchanges.drawn.random())

    def _read(self) -> None:
        with suppress(BlockingIOError):
            while self._socket is not None:
                packet = self._socket.recv(1 << 16)
                exchange = self.ledger.exchanges.begin()
                exchange.fault = None
                self.ledger.exchanges.answer(exchange)
                self.ledger.receive(packet, "", {MARK: str(exchange.number)})


@asynccontextmanager
async def flaky_agent(ledger: Ledger) -> AsyncIterator[str]:
    """Give the address of an agent that comes and goes."""
    agent = FlakyAgent(ledger)
    agent.come()
    changing = asyncio.create_task(agent.come_and_go(), name="agent comes and goes")
    try:
        yield agent.url
    finally:
        changing.cancel()
        await asyncio.wait([changing])
        agent.go()
