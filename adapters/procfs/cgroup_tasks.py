"""Reading from cgroupfs which processes and threads are in a container's cgroups."""

import errno
import os
from collections.abc import Iterator

from attrs import evolve, frozen

from ...domain.model.cgroup import container_of
from ...domain.model.cgroup_mount import CgroupFolder, CgroupMount, cgroup_folders, cgroup_mounts
from ...domain.model.pod import Container
from .files import GONE, link_target, read_whole

# A threaded cgroup does not list processes, its domain does; ENODEV is a cgroup just removed.
_NO_LIST = (errno.EOPNOTSUPP, errno.ENODEV)


@frozen(kw_only=True)
class CgroupMembers:
    """Host pids and tids in a container's cgroup and in those it made below."""

    pids: frozenset[int]
    tids: frozenset[int]


@frozen(kw_only=True)
class CgroupReader:
    """Reads cgroup folders through the mounts that a procfs tells of.

    cgroupfs speaks in pids of the reader's own pid namespace. Where procfs shows another one, as
    in a container that has the host's procfs but not its pid namespace, it is not used.
    """

    procfs: str
    sysfs: str

    def members_of(self, container: Container) -> CgroupMembers | None:
        """List who is in the container; None if its cgroups cannot be seen from here.

        A cgroup that was removed has no members.
        """
        own = {
            hierarchy: path
            for hierarchy, path in container.cgroups.items()
            if _names(path, container.container_id)
        }
        if not own or not self._shows_own_pids():
            return None
        found = cgroup_folders(own, hierarchies=self._text("self/cgroup"), mounts=self._mounts())
        return _members(found[0]) if found else None

    def _shows_own_pids(self) -> bool:
        try:
            return link_target(f"{self.procfs}/self") == str(os.getpid())
        except GONE:
            return False

    def _mounts(self) -> Iterator[CgroupMount]:
        """List cgroup mounts as they can be reached: below sysfs, wherever that is mounted.

        This process's own mount points are right as they are, the host's are below its `/sys`.
        """
        for task, prefix in (("self", self.sysfs), ("1", "/sys")):
            for mount in cgroup_mounts(self._text(f"{task}/mountinfo")):
                point = mount.mount_point
                if point.startswith(f"{prefix}/"):
                    reached = f"{self.sysfs}{point.removeprefix(prefix)}"
                    # A sysfs that was bound without its sub-mounts has an empty folder there.
                    if os.path.exists(f"{reached}/cgroup.procs"):  # noqa: PTH110
                        yield evolve(mount, mount_point=reached)

    def _text(self, path: str) -> str:
        try:
            return os.fsdecode(read_whole(f"{self.procfs}/{path}"))
        except GONE:
            return ""


def _names(path: str, container_id: str) -> bool:
    found = container_of(path)
    return found is not None and found.container_id == container_id


def _members(container: CgroupFolder) -> CgroupMembers:
    pids: set[int] = set()
    tids: set[int] = set()
    for folder in _with_sub_cgroups(container):
        pids.update(_numbers(f"{folder}/cgroup.procs"))
        # v2 calls the list of threads one way, v1 the other.
        tids.update(_numbers(f"{folder}/cgroup.threads") or _numbers(f"{folder}/tasks"))
    return CgroupMembers(pids=frozenset(pids), tids=frozenset(tids))


def _with_sub_cgroups(cgroup: CgroupFolder) -> Iterator[str]:
    yield cgroup.folder
    try:
        with os.scandir(cgroup.folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except GONE:
        return
    for name in names:
        below = CgroupFolder(f"{cgroup.folder}/{name}", f"{cgroup.path}/{name}")
        # A container inside of this one is a container of its own.
        if container_of(below.path) == container_of(cgroup.path):
            yield from _with_sub_cgroups(below)


def _numbers(path: str) -> list[int]:
    try:
        return [int(word) for word in read_whole(path).split()]
    except GONE:
        return []
    except OSError as error:
        if error.errno in _NO_LIST:
            return []
        raise
