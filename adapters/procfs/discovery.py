"""Discovery of pods and containers from procfs alone."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from attrs import define, field

from ...domain.model.container_names import ContainerNames
from ...domain.model.launchers import is_daemon
from ...domain.model.pod import Container, Pod
from ...domain.model.pod_naming import FoundContainer, described, pods_of
from ...domain.model.process import ProcessGroup, group_processes
from ...ports.errors import DiscoveryFailed
from .errors import procfs_errors
from .host_documents import HostDocuments
from .host_names import HostNameReader
from .processes import ProcessReader


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

    async def discover(self) -> tuple[Pod, ...]:
        """List the pods with their running containers, oldest first; raise `DiscoveryFailed`."""
        return await asyncio.to_thread(self._discover)

    async def describe(self, container_id: str) -> Container | None:
        """Read what the host's documents say of a container; None unless they name it."""
        return await asyncio.to_thread(self._describe, container_id)

    async def changes(self) -> AsyncIterator[None]:
        """Tell nothing: procfs has no such events."""
        return
        yield

    async def runtime_pids(self) -> tuple[int, ...]:
        """Find the daemons of known runtimes by their names, outside of containers."""
        return await asyncio.to_thread(self._runtime_pids)

    def _discover(self) -> tuple[Pod, ...]:
        with procfs_errors(self.procfs):
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

    def _describe(self, container_id: str) -> Container | None:
        names = HostDocuments(self._host_root, self.run_paths).names_of(container_id)
        return described(container_id, names)

    def _runtime_pids(self) -> tuple[int, ...]:
        with procfs_errors(self.procfs):
            return tuple(
                process.stat.tid
                for process in ProcessReader(str(self.procfs)).processes()
                if is_daemon(process.stat.command) and not process.membership.container
            )

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
