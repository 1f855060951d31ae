"""Which containers that processes were put into are known by now, and since when others wait."""

import structlog
from attrs import define, field

SETTLE_SECONDS = 1.0
"""So long may learning of a container take; events of its tasks wait for that."""

_log = structlog.get_logger()


@define
class Newcomer:
    """A container that is not known yet; its `cgroups` by hierarchy, as far as any were entered."""

    container_id: str
    since_ns: int
    cgroups: dict[int, str] = field(factory=dict)
    ended: bool = False


@define
class Settling:
    """Keeps the containers that are settled, and those that are to be.

    A settled container is known to whoever has to know, or known to be nobody's. Not safe for
    threads. Containers whose cgroups are empty, or removed, are to be forgotten.
    """

    newcomers: dict[str, Newcomer] = field(factory=dict)
    births: dict[int, int] = field(factory=dict)
    """Tids of processes made in an unknown cgroup, and when."""
    _untold: list[Newcomer] = field(factory=list)
    _settled: set[str] = field(factory=set)

    def meet(self, container_id: str, *, time_ns: int) -> Newcomer | None:
        """Note that a process came into a container; return it unless that is settled."""
        if container_id in self._settled:
            return None
        if container_id not in self.newcomers:
            one = Newcomer(container_id, time_ns)
            self.newcomers[container_id] = one
            self._untold.append(one)
        return self.newcomers[container_id]

    def untold(self) -> list[Newcomer]:
        """Return the newcomers nobody has been told of, once each."""
        untold, self._untold = self._untold, []
        return untold

    def settle(self, container_id: str) -> None:
        """Let nobody wait for a container any more."""
        newcomer = self.newcomers.pop(container_id, None)
        if newcomer and not newcomer.ended:
            self._settled.add(container_id)

    def forget(self, container_id: str) -> None:
        """Forget a container that has ended, as soon as it is settled."""
        self._settled.discard(container_id)
        if newcomer := self.newcomers.get(container_id):
            newcomer.ended = True

    def forget_all(self) -> None:
        """Forget every settled container: some may have ended, and nobody said so."""
        self._settled.clear()

    def known_until_ns(self, now_ns: int) -> int:
        """Return the time before which everything is settled; give up on what takes too long."""
        overdue = now_ns - round(SETTLE_SECONDS * 1e9)
        for one in [one for one in self.newcomers.values() if one.since_ns < overdue]:
            _log.warning("watch.container_unsettled", container_id=one.container_id)
            self.settle(one.container_id)
        self.births = {tid: since for tid, since in self.births.items() if since >= overdue}
        waiting = [one.since_ns for one in self.newcomers.values()]
        return min([now_ns, *waiting, *self.births.values()])

    def __len__(self) -> int:
        """Count the containers that are remembered."""
        return len(self._settled) + len(self.newcomers)
