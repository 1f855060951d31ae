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
    by_id: dict[str, int] = field(factory=dict)
    """The numbers of containers that have an id, by that."""
    _retired: dict[int, ContainerKey] = field(factory=dict)
    _free: list[int] = field(factory=list)
    _blank: list[int] = field(factory=list)
    """Numbers that the table has, but of which it has seen no span."""

    def number_of(self, container: Container) -> int:
        """Return the number of a container, which is kept from now on; a new one for a new one."""
        number = self._numbers.get(container.key)
        if number is None:
            number = self._named(container)
            number = self._new(container) if number is None else number
            self._numbers[container.key] = number
            if container.container_id:
                self.by_id[container.container_id] = number
        self._retired.pop(number, None)
        return number

    def number_of_id(self, container_id: str) -> int:
        """Return the number of a container of which nothing but the id may be known yet.

        One that was given up is kept all the same: somebody is about to be in it.
        """
        number = self.by_id.get(container_id)
        if number is None:
            return self.number_of(Container(name="", pod="", container_id=container_id))
        self._retired.pop(number, None)
        return number

    def in_use(self) -> set[int]:
        """Return the numbers that were not given up."""
        return set(self._numbers.values()) - self._retired.keys()

    def retire(self, number: int) -> None:
        """Give up a number; it still means its container until `release`."""
        self._retired[number] = self.table[number].key

    def release(self) -> list[int]:
        """Forget the containers whose numbers were given up, and return these numbers.

        To be called when all spans of them have been made.
        """
        released, self._retired = self._retired, {}
        for number, key in released.items():
            del self._numbers[key]
            if self.by_id.get(self.table[number].container_id) == number:
                del self.by_id[self.table[number].container_id]
        self._free += released
        return list(released)

    def _named(self, container: Container) -> int | None:
        """Give a name to a container of which the id was known: there are no spans of it yet."""
        number = self.by_id.get(container.container_id)
        if number is None or self.table[number].name:
            return None
        del self._numbers[self.table[number].key]
        self.table[number] = container
        return number

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
