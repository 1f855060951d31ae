"""Which tasks are in a container, and who may bring it more."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from attrs import define, evolve, field

from ...domain.model.launchers import is_shim
from ...domain.model.pod import Container, Task
from ...domain.model.pod_naming import group_key_of
from ...domain.model.process import Process, group_key
from .cgroup_tasks import CgroupMembers, CgroupReader
from .errors import procfs_errors
from .processes import ProcessReader
from .together import Together


@define(kw_only=True)
class ProcfsTaskDirectory:
    """Reads tasks from procfs, and who is in a container from cgroupfs where that can be seen.

    `procfs` and `sysfs` are the host's, wherever they are mounted. No namespace is ever entered.
    """

    procfs: Path = Path("/proc")
    sysfs: Path = Path("/sys")
    _looks: Together[Container, tuple[Task, ...]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Let those who ask for tasks at the same time share one look."""
        self._looks = Together(self._tasks_of_each)

    async def tasks_of(self, container: Container) -> tuple[Task, ...]:
        """List all threads in the container now, by tid; empty if it is gone.

        Who asks for many containers asks at the same time: processes are then scanned only once.
        """
        return await self._looks.ask(container)

    async def locate(self, containers: Sequence[Container]) -> tuple[Container, ...]:
        """Complete containers by what procfs says of their main process, and of their tasks."""
        return await asyncio.to_thread(self._locate, containers)

    async def launchers_of(
        self, containers: Sequence[Container], runtimes: Collection[int]
    ) -> tuple[Task, ...]:
        """List the tasks of runtimes and shims, and of what they started outside of containers."""
        return await asyncio.to_thread(self._launchers_of, containers, runtimes)

    async def living(self, tids: Collection[int]) -> frozenset[int]:
        """Read which of these tasks are there, and not exiting."""
        return await asyncio.to_thread(self._living, tids)

    async def container_of(self, tid: int) -> str:
        """Read the id of the container whose cgroup a task is in."""
        return await asyncio.to_thread(self._container_of, tid)

    def _tasks_of_each(self, containers: Sequence[Container]) -> list[tuple[Task, ...]]:
        with procfs_errors(self.procfs):
            reader = ProcessReader(str(self.procfs))
            cgroups = CgroupReader(procfs=str(self.procfs), sysfs=str(self.sysfs))
            members = [cgroups.members_of(container) for container in containers]
            scanned = _pids_by_scan(reader) if None in members else {}
            return [
                _tasks(reader, one or scanned.get(group_key_of(container), frozenset()))
                for container, one in zip(containers, members, strict=True)
            ]

    def _locate(self, containers: Sequence[Container]) -> tuple[Container, ...]:
        with procfs_errors(self.procfs):
            reader = ProcessReader(str(self.procfs))
            found = [one for one in (_found(reader, each) for each in containers) if one]
        tasks = self._tasks_of_each(found)
        return tuple(
            evolve(one, tasks=tuple(task.tid for task in theirs), parents=_parents(one, theirs))
            for one, theirs in zip(found, tasks, strict=True)
            if theirs
        )

    def _launchers_of(
        self, containers: Sequence[Container], runtimes: Collection[int]
    ) -> tuple[Task, ...]:
        with procfs_errors(self.procfs):
            reader = ProcessReader(str(self.procfs))
            first = (pid for one in containers for pid in self._first_pids(one))
            shims = [shim for pid in first for shim in _shim_above(reader, pid)]
            pids = set(_with_descendants(reader, [*shims, *(set(runtimes) - {0, 1})]))
            return tuple(task for pid in sorted(pids) for task in reader.tasks(pid))

    def _first_pids(self, container: Container) -> Collection[int]:
        """Return the first processes of a container, or of one just being made, all of them."""
        if container.parents:
            return container.parents
        cgroups = CgroupReader(procfs=str(self.procfs), sysfs=str(self.sysfs))
        members = cgroups.members_of(container)
        return members.pids if members else ()

    def _living(self, tids: Collection[int]) -> frozenset[int]:
        with procfs_errors(self.procfs):
            reader = ProcessReader(str(self.procfs))
            return frozenset(tid for tid in tids if (stat := reader.stat(str(tid))) and stat.alive)

    def _container_of(self, tid: int) -> str:
        with procfs_errors(self.procfs):
            membership = ProcessReader(str(self.procfs)).membership(str(tid))
        return membership.container.container_id if membership and membership.container else ""


def _found(reader: ProcessReader, container: Container) -> Container | None:
    """Complete a container by its main process, if that is in it still."""
    if container.pid_namespace:
        return container
    process = next(_processes(reader, container.parents), None)
    if process is None:
        return None
    # The process that stands for one in a virtual machine is in the cgroup of its pod.
    if not container.isolated and _container_id(process) != container.container_id:
        return None
    return evolve(
        container,
        cgroups=process.membership.container_paths,
        pid_namespace=reader.namespaces(process.stat.tid).pid,
    )


def _parents(container: Container, tasks: Sequence[Task]) -> tuple[int, ...]:
    """Return the pids of the processes whose parent is not in the container."""
    first = {task.pid: task.parent for task in tasks}
    return tuple(pid for pid, parent in first.items() if parent not in first) or container.parents


def _shim_above(reader: ProcessReader, pid: int) -> Iterator[int]:
    """Find the nearest shim among those a process descends from: what it started may be between."""
    process = reader.process(pid)
    while process and process.stat.parent > 1:
        process = reader.process(process.stat.parent)
        if process and is_shim(process.stat.command):
            yield process.stat.tid
            return


def _with_descendants(reader: ProcessReader, pids: Iterable[int]) -> Iterator[int]:
    """List processes, and those they made that are in no other container than they are."""
    for process in _processes(reader, pids):
        yield process.stat.tid
        children = _processes(reader, reader.children(process.stat.tid))
        here = _container_id(process)
        alike = [one.stat.tid for one in children if _container_id(one) == here]
        yield from _with_descendants(reader, alike)


def _processes(reader: ProcessReader, pids: Iterable[int]) -> Iterator[Process]:
    return filter(None, map(reader.process, pids))


def _container_id(process: Process) -> str:
    container = process.membership.container
    return container.container_id if container else ""


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
