"""Tasks that a test says are there."""

from collections.abc import Collection, Sequence

from attrs import define, evolve, field

from ..domain.model.pod import Container, Task
from ..ports.errors import DiscoveryFailed


@define(kw_only=True)
class FakeTaskDirectory:
    """Answers with what a test has put into it.

    That is `tasks` by `Container.key`, `runtimes` by pid, and `holders` by container id. A
    container without an entry in `tasks` has none: it is gone. While `failure` is set, every
    question raises it.
    """

    tasks: dict[tuple[str, str, str, str], tuple[Task, ...]] = field(factory=dict)
    runtimes: dict[int, tuple[Task, ...]] = field(factory=dict)
    holders: dict[str, tuple[Task, ...]] = field(factory=dict)
    failure: DiscoveryFailed | None = None

    async def tasks_of(self, container: Container) -> tuple[Task, ...]:
        """List the tasks put there for the container, or raise `failure`."""
        if self.failure:
            raise self.failure
        return self.tasks.get(container.key, ())

    async def locate(self, containers: Sequence[Container]) -> tuple[Container, ...]:
        """Return the containers that have tasks, with those."""
        found = [(one, await self.tasks_of(one)) for one in containers]
        return tuple(
            evolve(one, tasks=tuple(task.tid for task in theirs), pid_namespace=1)
            for one, theirs in found
            if theirs
        )

    async def launchers_of(
        self, containers: Sequence[Container], runtimes: Collection[int]
    ) -> tuple[Task, ...]:
        """Return the tasks of the runtimes and of the holders, or raise `failure`."""
        if self.failure:
            raise self.failure
        some = [self.runtimes.get(pid, ()) for pid in runtimes]
        some += [self.holders.get(one.container_id, ()) for one in containers]
        return tuple(task for tasks in some for task in tasks)

    async def living(self, tids: Collection[int]) -> frozenset[int]:
        """Return those that are in `tasks`, `runtimes` or `holders`."""
        every = (*self.tasks.values(), *self.runtimes.values(), *self.holders.values())
        return frozenset(task.tid for tasks in every for task in tasks) & frozenset(tids)

    async def container_of(self, tid: int) -> str:
        """Return the id of the container whose tasks have this one."""
        whose = (key for key, tasks in self.tasks.items() if tid in {task.tid for task in tasks})
        return next((container_id for *_, container_id in whose), "")
