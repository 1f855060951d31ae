"""Spans of agents in virtual machines, handed to every exporter."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from attrs import define, field

from ....ports.clock import Clock
from ....ports.single_span_exporter import SingleSpanExporter
from ...model.guests.peer import GuestPeer
from ...model.guests.stats import GuestStats
from ...model.single_span import SingleSpan
from ..own_spans import CLOSE_SECONDS
from ..single_span_delivery import SingleSpanCounts, SingleSpanDelivery
from .guest import Guest, GuestTerms

GRACE_SECONDS = 15.0
"""How long an agent may take to come back; it sends what it has every 5 seconds."""

MAX_REMEMBERED = 256
"""So many guests that have left are remembered, in case they come back after all."""


@define(kw_only=True, eq=False)
class GuestSpans:
    """Takes spans of all virtual machines, from `start` to `close`, on the same `terms`."""

    exporters: Sequence[SingleSpanExporter]
    clock: Clock
    terms: GuestTerms
    _deliveries: list[SingleSpanDelivery] = field(init=False)
    _guests: OrderedDict[str, Guest] = field(factory=OrderedDict)
    """By name; of those that have left, who left longest ago comes first."""
    _forgotten: GuestStats = field(factory=GuestStats)
    _leaving: dict[str, asyncio.Task[None]] = field(factory=dict)
    _closing: bool = False

    def __attrs_post_init__(self) -> None:
        """Give each exporter a queue of its own."""
        self._deliveries = [
            SingleSpanDelivery(exporter=one, clock=self.clock) for one in self.exporters
        ]

    async def start(self) -> None:
        """Begin to deliver."""
        for one in self._deliveries:
            one.start()

    async def close(self) -> None:
        """Deliver what waits, if that can be done soon, and drop the rest.

        What is missing of guests that are still connected is made up for, too: an agent that loses
        its connection does not come back.
        """
        self._closing = True
        for task in self._leaving.values():
            task.cancel()
        self._leaving.clear()
        for guest in self._guests.values():
            guest.settle()
        await asyncio.gather(*(one.close(CLOSE_SECONDS) for one in self._deliveries))

    def guest(self, peer: GuestPeer) -> Guest:
        """Say whose the frames of a connection are: who has been there before, or a new one.

        Each call is to be followed by one `left` of the guest.
        """
        if task := self._leaving.pop(peer.name, None):
            task.cancel()
        guest = self._guests.get(peer.name)
        if guest is None:
            guest = self._guests[peer.name] = self._new(peer)
        guest.connections += 1
        return guest

    @property
    def is_crowded(self) -> bool:
        """Tell whether guests should be heard a little later, so that nothing has to be dropped."""
        return any(one.is_crowded for one in self._deliveries)

    @property
    def guests(self) -> Sequence[Guest]:
        """Return those that are connected."""
        return [one for one in self._guests.values() if one.connections]

    @property
    def stats(self) -> GuestStats:
        """Add up what became of all frames since the start."""
        return sum((one.stats for one in self._guests.values()), self._forgotten)

    @property
    def counts(self) -> Mapping[str, SingleSpanCounts]:
        """Return what became of spans by exporter, those that stand in for others among them."""
        return {one.exporter.name: one.counts for one in self._deliveries}

    def _new(self, peer: GuestPeer) -> Guest:
        return Guest(
            peer=peer, terms=self.terms, clock=self.clock, hand_on=self._offer, gone=self._left
        )

    def _offer(self, guest: Guest, span: SingleSpan) -> None:
        for one in self._deliveries:
            one.offer(span, sender=guest.name)

    def _left(self, guest: Guest) -> None:
        if self._closing:
            return
        self._guests.move_to_end(guest.name)
        self._leaving[guest.name] = asyncio.create_task(
            self._settle_later(guest), name=f"guest {guest.name} has left"
        )

    async def _settle_later(self, guest: Guest) -> None:
        """Wait whether it comes back, and make up for what is missing if it does not."""
        await self.clock.sleep(GRACE_SECONDS)
        del self._leaving[guest.name]
        guest.settle()
        gone = [name for name, one in self._guests.items() if not one.connections]
        for name in gone[: max(0, len(gone) - MAX_REMEMBERED)]:
            if name not in self._leaving:
                self._forgotten += self._guests.pop(name).stats
