"""Nodes that come and go as a test says."""

from attrs import define, field

from ..domain.model.nodes import Nodes
from .changing import Changing


@define(eq=False)
class FakeNodeDirectory(Changing[Nodes]):
    """Counts how often nodes were listed."""

    known: Nodes = field(factory=Nodes)
    lists: int = 0

    async def nodes(self) -> Nodes:
        """List them, or raise the failure."""
        self.lists += 1
        if self.failure:
            raise self.failure
        return self.known
