"""Finding out which virtual machine a connection is of."""

import asyncio

import structlog
from attrs import define, field

from ....ports.clock import Clock
from ....ports.errors import DiscoveryFailed
from ....ports.virtual_machines import VirtualMachines
from ...model.guests.peer import GuestAddress, GuestPeer, GuestSocket, peer_by_cid

REST_SECONDS = 0.2
"""How long all processes are left alone after they were looked at."""

_log = structlog.get_logger()


@define(kw_only=True, eq=False)
class GuestPeers:
    """Knows a guest by the place of its socket, or by the program its number was given to.

    Numbers are used again: each connection is a new question. Those who ask at the same time
    share one look.
    """

    machines: VirtualMachines
    clock: Clock
    _command_lines: tuple[str, ...] = ()
    _looks_begun: int = 0
    _rests_until_ns: int = 0
    _look: asyncio.Lock = field(factory=asyncio.Lock)

    async def peer_of(self, address: GuestAddress) -> GuestPeer:
        """Say who is there; what cannot be found out is left empty."""
        if isinstance(address, GuestSocket):
            return GuestPeer(address=str(address), sandbox_id=address.sandbox_id, vmm=address.vmm)
        try:
            await self._refresh()
        except DiscoveryFailed as error:
            _log.warning("guest.unknown", guest=str(address), error=str(error))
            return GuestPeer(address=str(address))
        return peer_by_cid(address, self._command_lines)

    async def _refresh(self) -> None:
        """Look at all programs, or share the look of those who wait for the next one, too."""
        begun_before = self._looks_begun
        async with self._look:
            if self._looks_begun == begun_before:
                await self.clock.sleep(max(0, self._rests_until_ns - self.clock.trace_ns()) / 1e9)
                self._looks_begun += 1
                self._command_lines = tuple(await self.machines.command_lines())
                self._rests_until_ns = self.clock.trace_ns() + round(REST_SECONDS * 1e9)
