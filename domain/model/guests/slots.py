"""How many connections guests may have."""

from collections import Counter
from collections.abc import Hashable

from attrs import define, field


@define(kw_only=True)
class GuestSlots:
    """So many connections for each guest, and for all together; an agent has one at a time."""

    per_guest: int = 8
    in_all: int = 1024
    _taken: Counter[Hashable] = field(factory=Counter)

    def take(self, guest: Hashable) -> bool:
        """Take a place for one more connection; False if there is none."""
        if self._taken[guest] >= self.per_guest or self._taken.total() >= self.in_all:
            return False
        self._taken[guest] += 1
        return True

    def give_back(self, guest: Hashable) -> None:
        """Let another connection have the place."""
        self._taken[guest] -= 1
        if not self._taken[guest]:
            del self._taken[guest]
