"""Pods that a test says are there."""

from attrs import define, field

from ..domain.model.pod import Container, Pod, Task
from ..ports.errors import DiscoveryFailed


@define(kw_only=True)
class FakePodDiscovery:
    """Answers with what was put into `pods` and, by `Container.key`, into `tasks`.

    A container without an entry in `tasks` has none: it is gone. While `failure` is set, both
    questions raise it. `discoveries` counts the listings asked for.
    """

    pods: list[Pod] = field(factory=list)
    tasks: dict[tuple[str, str, str, str], tuple[Task, ...]] = field(factory=dict)
    failure: DiscoveryFailed | None = None
    name: str = "fake"
    discoveries: int = field(default=0, init=False)

    async def discover(self) -> tuple[Pod, ...]:
        """List the pods, or raise `failure`."""
        self.discoveries += 1
        if self.failure:
            raise self.failure
        return tuple(self.pods)

    async def tasks_of(self, container: Container) -> tuple[Task, ...]:
        """List the tasks put there for the container, or raise `failure`."""
        if self.failure:
            raise self.failure
        return self.tasks.get(container.key, ())
