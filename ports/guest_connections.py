"""How virtual machines reach this program."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from ..domain.model.guests.peer import GuestAddress


class GuestConnection(Protocol):
    """One connection, from when it was accepted until `close`; bytes come in, none go out."""

    @property
    def address(self) -> GuestAddress:
        """Say where it came from."""

    async def read(self) -> bytes:
        """Wait for bytes; return some, or none at the end. Raises `GuestLost`.

        What has not been asked for waits in the kernel, and then in the guest.
        """

    def close(self) -> None:
        """Hang up; again is harmless."""


class GuestConnections(Protocol):
    """All ways in, from `open` to `close`; new ones are found and closed ones left by itself."""

    async def open(self) -> None:
        """Begin to listen; raise `GuestsUnreachable` where a way that must be there is not."""

    async def accept(self) -> GuestConnection:
        """Wait for the next connection. To be called by one at a time."""

    def listening(self) -> Sequence[str]:
        """Say where it listens."""

    def troubles(self) -> Mapping[str, str]:
        """Say where it should listen and cannot, and why."""

    async def close(self) -> None:
        """Listen no more, and leave nothing behind; connections stay. Again is harmless."""
