"""Brings spans of virtual machines to those who keep them."""

import asyncio

from attrs import frozen

from .reception import GuestReception
from .spans import GuestSpans


@frozen(kw_only=True, eq=False)
class SpanForwarder:
    """What hears guests, and what makes spans of that, from `start` to `close`."""

    reception: GuestReception
    spans: GuestSpans

    async def start(self) -> None:
        """Begin; raise `GuestsUnreachable` where there must be VSOCK and is none."""
        await self.spans.start()
        try:
            await self.reception.start()
        except BaseException:
            await self.spans.close()
            raise

    async def close(self) -> None:
        """Hear nobody any more, and deliver what waits if that can be done soon."""
        await self.reception.close()
        await asyncio.shield(self.spans.close())
