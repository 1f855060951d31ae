"""Which virtual machines run on this host."""

from collections.abc import Sequence
from typing import Protocol


class VirtualMachines(Protocol):
    """The programs that run virtual machines."""

    async def command_lines(self) -> Sequence[str]:
        """List how they were started, words separated by blanks; raise `DiscoveryFailed`."""
