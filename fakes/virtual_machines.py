"""Virtual machines that a test says there are."""

from collections.abc import Sequence

from attrs import define, field

from ..ports.errors import DiscoveryFailed


@define
class FakeVirtualMachines:
    """Lists `lines`, or raises `failure`; `looks` counts how often."""

    lines: list[str] = field(factory=list)
    failure: DiscoveryFailed | None = None
    looks: int = 0

    async def command_lines(self) -> Sequence[str]:
        """Return `lines`."""
        self.looks += 1
        if self.failure:
            raise self.failure
        return list(self.lines)
