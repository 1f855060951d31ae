"""Looking at a machine: who is here by name, completed by which tasks are where."""

from collections.abc import Collection

from attrs import define, evolve, field

from ...ports.pod_discovery import PodDiscovery
from ...ports.task_directory import TaskDirectory
from ..model.inventory import containers_of
from ..model.pod import Container, ContainerKey, Pod


@define(kw_only=True, eq=False)
class PodLooks:
    """Lists pods with their running containers; remembers where the containers are."""

    discovery: PodDiscovery
    directory: TaskDirectory
    _located: dict[ContainerKey, Container] = field(factory=dict)

    async def look(self, *, afresh: Collection[str] | None = None) -> tuple[Pod, ...]:
        """List the pods; raise `DiscoveryFailed`.

        `afresh` are ids of containers that may have changed: those known are taken for what they
        were. None: any may have. What has no task any more is left out, whatever a runtime says.
        """
        pods = await self.discovery.discover()
        bare = {key: one for key, one in containers_of(pods).items() if not one.tasks}
        known = {
            key: self._located[key]
            for key, one in bare.items()
            if afresh is not None and key in self._located and one.container_id not in afresh
        }
        news = [one for key, one in bare.items() if key not in known]
        located = await self.directory.locate(news) if news else ()
        self._located = known | {one.key: one for one in located}
        return tuple(evolve(pod, containers=self._whole(pod)) for pod in pods)

    def _whole(self, pod: Pod) -> tuple[Container, ...]:
        whole = (one if one.tasks else self._located.get(one.key) for one in pod.containers)
        return tuple(filter(None, whole))

    def forget(self, container_ids: Collection[str]) -> None:
        """Take no container of these ids for known."""
        self._located = {
            key: one for key, one in self._located.items() if one.container_id not in container_ids
        }

    async def gone(self, containers: Collection[Container]) -> list[Container]:
        """Return those containers that have no task."""
        return [one for one in containers if not await self.directory.tasks_of(one)]
