"""Discovery of pods and containers from procfs alone."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import define, field

from ...domain.model.container_names import ContainerNames
from ...domain.model.pod import Container, Pod, Task
from ...domain.model.pod_naming import FoundContainer, group_key_of, pods_of
from ...domain.model.process import ProcessGroup, group_key, group_processes
from ...ports.errors import DiscoveryFailed
from .cgroup_tasks import CgroupMembers, CgroupReader
from .host_documents import HostDocuments
from .host_names import HostNameReader
from .processes import ProcessReader
from .together import Together


@define(kw_only=True)
class ProcfsPodDiscovery:
    """Finds containers by the cgroups and namespaces of processes; see `domain.model.process`.

    `procfs` and `sysfs` are the host's, wherever they are mounted. `run_paths` are folders like
    `/run`, where runtimes keep what names their containers. No namespace is ever entered.
    One instance may live as long as the program; it remembers the names of running containers.
    """

    procfs: Path = Path("/proc")
    sysfs: Path = Path("/sys")
    run_paths: tuple[Path, ...] = (Path("/run"), Path("/var/run"))
    name: str = field(default="procfs", init=False)
    _names: dict[str, ContainerNames] = field(factory=dict, init=False)
    _looks: Together[Container, tuple[Task, ...]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Let those who ask for tasks at the same time share one look."""
        self._looks = Together(self._tasks_of_each)

    async def discover(self) -> tuple[Pod, ...]:
        """List the pods with their running containers, oldest first; raise `DiscoveryFailed`."""
        return await asyncio.to_thread(self._discover)

    async def tasks_of(self, container: Container) -> tuple[Task, ...]:
        """List all threads in the container now, by tid; empty if it is gone.

        Who asks for many containers asks at the same time: processes are then scanned only once.
        """
        return await self._looks.ask(container)

    def _discover(self) -> tuple[Pod, ...]:
        with _failures(self.procfs):
            reader = ProcessReader(str(self.procfs))
            processes = list(reader.processes())
            if not processes:
                raise DiscoveryFailed(
                    f"There is no process in {self.procfs}; give the mount point of the host's"
                    " procfs with --procfs-path."
                )
            host = reader.host_namespaces()
            groups = group_processes(processes, host)
            names = self._names_of(groups)
            host_names = HostNameReader(
                procfs=str(self.procfs),
                host_root=self._host_root,
                host=host,
                own=reader.namespaces("self"),
            )
            found = (_found(group, names[group.key], reader, host_names) for group in groups)
            return pods_of(one for one in found if one.tasks)

    def _names_of(self, groups: tuple[ProcessGroup, ...]) -> dict[str, ContainerNames]:
        """Look up names by group; only those of running containers are remembered."""
        known = self._names
        documents = HostDocuments(self._host_root, self.run_paths)
        names = {
            group.key: known.get(group.key) or _documented(group, documents) for group in groups
        }
        # A container that has no name yet may get one: the runtime is about to write it down.
        self._names = {key: said for key, said in names.items() if said.container}
        return names

    def _tasks_of_each(self, containers: Sequence[Container]) -> list[tuple[Task, ...]]:
        with _failures(self.procfs):
            reader = ProcessReader(str(self.procfs))
            cgroups = CgroupReader(procfs=str(self.procfs), sysfs=str(self.sysfs))
            members = [cgroups.members_of(container) for container in containers]
            scanned = _pids_by_scan(reader) if None in members else {}
            return [
                _tasks(reader, one or scanned.get(group_key_of(container), frozenset()))
                for container, one in zip(containers, members, strict=True)
            ]

    @property
    def _host_root(self) -> str:
        """Where the host's files are: from inside a container, below the root of its pid 1."""
        return "" if self.procfs == Path("/proc") else f"{self.procfs}/1/root"


def _documented(group: ProcessGroup, documents: HostDocuments) -> ContainerNames:
    has_id = group.isolated or (group.cgroup is not None and not group.cgroup.name)
    return documents.names_of(group.container_id) if has_id else ContainerNames()


def _found(
    group: ProcessGroup,
    names: ContainerNames,
    reader: ProcessReader,
    host_names: HostNameReader,
) -> FoundContainer:
    first = group.first.stat.tid
    namespaces = reader.namespaces(first)
    named = names.pod or names.container or (group.cgroup and group.cgroup.name)
    return FoundContainer(
        group=group,
        names=names,
        tasks=tuple(sorted(tid for p in group.processes for tid in reader.tids(p.stat))),
        pid_namespace=namespaces.pid,
        host_name="" if named else host_names.of(first, namespaces),
    )


def _pids_by_scan(reader: ProcessReader) -> dict[str, frozenset[int]]:
    """Find the processes of every container, by the key of its group."""
    processes = list(reader.processes())
    host = reader.host_namespaces()
    pids = defaultdict(set)
    for process in processes:
        pids[group_key(process, host)].add(process.stat.tid)
    return {key: frozenset(members) for key, members in pids.items()}


def _tasks(reader: ProcessReader, members: CgroupMembers | frozenset[int]) -> tuple[Task, ...]:
    """Read the threads of processes: all, or those in a container's cgroups."""
    pids = members.pids if isinstance(members, CgroupMembers) else members
    tasks = [task for pid in pids for task in reader.tasks(pid)]
    if isinstance(members, CgroupMembers):
        tasks = [task for task in tasks if task.tid in members.tids]
    return tuple(sorted(tasks, key=lambda task: task.tid))


@contextmanager
def _failures(procfs: Path) -> Iterator[None]:
    """Turn failures of the mount, not of single processes, into `DiscoveryFailed`."""
    try:
        yield
    except OSError as error:
        raise DiscoveryFailed(
            f"Processes cannot be listed in {procfs}: {error.strerror}. Mount the host's procfs"
            " there, readable for this program, or name its mount point with --procfs-path."
        ) from error
