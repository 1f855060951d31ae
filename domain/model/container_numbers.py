"""The containers of a source, by numbers that are used again."""

from attrs import define, field

from .pod import Container, ContainerKey

MANY_FREE = 64
"""From so many numbers of containers that ended on, they are used again."""


@define(eq=False)
class ContainerNumbers:
    """Gives containers numbers; `table` says which container a number is.

    Spans keep the table they were given, and are read when their container may long be gone. So
    within a table a number never means another container once there may be spans of it: numbers
    are used again in a new table, and the old one stays as it was.
    """

    table: list[Container] = field(factory=list)
    _numbers: dict[ContainerKey, int] = field(factory=dict)
    _retired: dict[int, ContainerKey] = field(factory=dict)
    _free: list[int] = field(factory=list)
    _blank: list[int] = field(factory=list)
    """Numbers that the table has, but of which it has seen no span."""

    def number_of(self, container: Container) -> int:
        """Return the number of a container, which is kept from now on; a new one for a new one."""
        number = self._numbers.get(container.key)
        if number is None:
            number = self._numbers[container.key] = self._new(container)
        self._retired.pop(number, None)
        return number

    def retire(self, number: int) -> None:
        """Give up a number; it still means its container until `release`."""
        self._retired[number] = self.table[number].key

    def release(self) -> list[int]:
        """Forget the containers whose numbers were given up, and return these numbers.

        To be called when all spans of them have been made.
        """
        released, self._retired = self._retired, {}
        for key in released.values():
            del self._numbers[key]
        self._free += released
        return list(released)

    def _new(self, container: Container) -> int:
        if not self._blank and len(self._free) >= MANY_FREE:
            self.table = list(self.table)
            self._blank, self._free = self._free, []
        if not self._blank:
            self.table.append(container)
            return len(self.table) - 1
        number = self._blank.pop()
        self.table[number] = container
        return number
