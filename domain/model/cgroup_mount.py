"""Where a cgroup's folder is: mounts and paths become folders."""

from collections.abc import Iterable, Mapping

from attrs import frozen


@frozen(kw_only=True)
class CgroupMount:
    """A mounted cgroup hierarchy: `controllers` is empty for cgroup v2.

    `root` is the cgroup that the mount point shows, as `/proc/PID/cgroup` would name it.
    """

    mount_point: str
    root: str
    controllers: frozenset[str] = frozenset()

    def folder(self, path: str) -> str | None:
        """Return the folder of a cgroup path, or None if this mount does not show it."""
        if ".." in path.removeprefix(self.root).split("/"):
            return None
        if self.root == "/":
            return self.mount_point + path.rstrip("/")
        if path == self.root or path.startswith(self.root + "/"):
            return self.mount_point + path.removeprefix(self.root)
        return None


def cgroup_mounts(mountinfo: str) -> tuple[CgroupMount, ...]:
    """Read the cgroup mounts out of `/proc/PID/mountinfo` (proc_pid_mountinfo(5))."""
    return tuple(mount for line in mountinfo.splitlines() for mount in _mount(line))


def _mount(line: str) -> Iterable[CgroupMount]:
    place, _, what = line.partition(" - ")
    fields, kind = place.split(), what.split()
    if len(fields) < 5 or len(kind) < 3 or kind[0] not in ("cgroup", "cgroup2"):  # noqa: PLR2004
        return ()
    controllers = frozenset(kind[2].split(",")) if kind[0] == "cgroup" else frozenset[str]()
    return (CgroupMount(mount_point=fields[4], root=fields[3], controllers=controllers),)


@frozen
class CgroupFolder:
    """Where one cgroup of a container is: the folder, and the path that it has in procfs."""

    folder: str
    path: str


def cgroup_folders(
    cgroups: Mapping[int, str], *, hierarchies: str, mounts: Iterable[CgroupMount]
) -> tuple[CgroupFolder, ...]:
    """List the folders of one container's cgroups, by hierarchy: cgroup v2 comes first.

    `hierarchies` is the text of any `/proc/PID/cgroup`: it says which controllers, mounted
    together, are the hierarchy of a number.
    """
    controllers = dict(_hierarchies(hierarchies))
    mounts = tuple(mounts)
    found = (
        (mount.folder(path), path)
        for hierarchy, path in sorted(cgroups.items())
        for mount in mounts
        if hierarchy in controllers and _same(mount.controllers, controllers[hierarchy])
    )
    return tuple(CgroupFolder(folder, path) for folder, path in found if folder)


def _hierarchies(text: str) -> Iterable[tuple[int, frozenset[str]]]:
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        names = rest.partition(":")[0]
        if number.isdecimal():
            yield int(number), frozenset(names.split(",") if names else ())


def _same(mounted: frozenset[str], wanted: frozenset[str]) -> bool:
    # The mount options of v1 hold more than controllers: rw, xattr, release_agent=...
    return wanted <= mounted if wanted else not mounted
