"""A task's cgroup path becomes the container it is in.

The paths are those of `/proc/PID/cgroup` (cgroups(7)), of cgroup v1, v2 or both mounted at once,
as container runtimes make them with the systemd driver (units) or the cgroupfs driver (folders).
A container in a container (kind, Docker in Docker, LXC in LXC): the innermost wins.
"""

import re
from collections.abc import Iterator, Mapping

from attrs import field, frozen

_ID = "[0-9a-f]{64}"
_NAMED_BY_ID = re.compile(rf"(?:(?P<prefix>[a-z][a-z0-9.-]*)-)?(?P<id>{_ID})(?:\.scope)?")
# Someone who makes cgroups by hand below a pod's may use short ids.
_BELOW_POD = re.compile(r"[0-9a-f]{12,64}")
_KATA = re.compile(r"kata_(?!overhead$)(?P<id>[0-9a-zA-Z_-]+)")
_POD = re.compile(r"(?:.*-)?pod(?P<uid>[0-9a-f][0-9a-f_-]*)(?:\.slice)?")
_NSPAWN = re.compile(r"machine-(?P<scope>.+)\.scope|systemd-nspawn@(?P<service>.+)\.service")
_SYSTEMD_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")
_UNIT = re.compile(r".*\.(?P<kind>service|scope|slice)")

_RUNTIME_OF_PREFIX = {
    "cri-containerd": "containerd",
    "nerdctl": "containerd",
    "crio": "cri-o",
    "docker": "docker",
    "libpod": "podman",
    "libpod-payload": "podman",
}
_RUNTIME_OF_PARENT = {"docker": "docker", "libpod_parent": "podman"}


@frozen(kw_only=True)
class ContainerCgroup:
    """The cgroup of a container.

    `container_id` is the runtime's; LXC and systemd-nspawn have names instead, which then are
    both `container_id` and `name`. `pod_uid` is set if the cgroup right above is a Kubernetes
    pod's. `runtime` is empty where the path does not tell. `path` ends at the container: the
    sub-cgroups a container makes for itself are left off.
    """

    container_id: str
    path: str
    pod_uid: str = ""
    runtime: str = ""
    name: str = ""

    @property
    def key(self) -> str:
        """What is the same for all its processes: names may stand twice, ids do not."""
        return self.path if self.name else self.container_id


@frozen(kw_only=True)
class CgroupMembership:
    """What `/proc/PID/cgroup` says of a task.

    `paths` are its cgroups by hierarchy id, 0 being cgroup v2. `in_service` says that a systemd
    service is the innermost unit around it.
    """

    container: ContainerCgroup | None = None
    paths: Mapping[int, str] = field(factory=dict)
    in_service: bool = False

    @property
    def container_paths(self) -> dict[int, str]:
        """Return the container's own cgroup, in those hierarchies where it has one."""
        along = {hierarchy: container_of(path) for hierarchy, path in self.paths.items()}
        return {
            hierarchy: found.path
            for hierarchy, found in along.items()
            if found and self.container and found.container_id == self.container.container_id
        }


def parse_membership(text: str) -> CgroupMembership:
    """Read `/proc/PID/cgroup`: lines of `hierarchy:controllers:path`.

    Any line may name the container, since a runtime may use some hierarchies only. The line that
    names the most deeply nested container counts, and among equals that of cgroup v2.
    """
    paths = dict(sorted(_paths(text)))
    chains = [chain for chain in (tuple(_along(path)) for path in paths.values()) if chain]
    return CgroupMembership(
        container=max(chains, key=len)[-1] if chains else None,
        paths=paths,
        in_service=any(_innermost_unit(path) == "service" for path in paths.values()),
    )


def container_of(path: str) -> ContainerCgroup | None:
    """Return the innermost container on a cgroup path, or None if the path names none."""
    innermost = None
    for innermost in _along(path):  # noqa: B007 - the last one is wanted
        pass
    return innermost


def _paths(text: str) -> Iterator[tuple[int, str]]:
    for line in text.splitlines():
        hierarchy, _, rest = line.partition(":")
        _, separator, path = rest.partition(":")
        if separator and hierarchy.isdecimal():
            # The kernel adds this where the cgroup was removed under a task that is exiting.
            yield int(hierarchy), path.removesuffix(" (deleted)")


def _along(path: str) -> Iterator[ContainerCgroup]:
    """Go down a path, from the outermost container to the innermost."""
    segments = path.split("/")
    for depth in range(1, len(segments)):
        found = _at(segments, depth)
        if found:
            yield found


def _at(segments: list[str], depth: int) -> ContainerCgroup | None:
    here, parent = segments[depth], segments[depth - 1]
    path = "/".join(segments[: depth + 1])
    # runc writes `SLICE:PREFIX:ID` as one folder where driver and path form do not match.
    if here.count(":") == 2:  # noqa: PLR2004
        parent, prefix, container_id = here.split(":")
        here = f"{prefix}-{container_id}"
    pod = _POD.fullmatch(parent)
    pod_uid = pod["uid"].replace("_", "-") if pod else ""
    by_id = _by_id(here, parent, below_pod=bool(pod))
    if by_id:
        container_id, runtime = by_id
        return ContainerCgroup(
            container_id=container_id, path=path, pod_uid=pod_uid, runtime=runtime
        )
    below = segments[depth + 1] if depth + 1 < len(segments) else ""
    by_name = _lxc(here, parent) or _nspawn(here, below)
    if by_name:
        name, runtime = by_name
        return ContainerCgroup(container_id=name, path=path, runtime=runtime, name=name)
    return None


def _by_id(here: str, parent: str, *, below_pod: bool) -> tuple[str, str] | None:
    kata = _KATA.fullmatch(here)
    if kata:
        return kata["id"], "kata"
    if parent == "kata_overhead" and here:
        return here, "kata"
    named = _NAMED_BY_ID.fullmatch(here)
    if named:
        prefix = named["prefix"] or ""
        # conmon watches a container of CRI-O or podman from outside of it.
        if prefix.endswith("conmon"):
            return None
        return named["id"], _RUNTIME_OF_PREFIX.get(prefix) or _RUNTIME_OF_PARENT.get(parent, "")
    if below_pod and _BELOW_POD.fullmatch(here):
        return here, ""
    return None


def _lxc(here: str, parent: str) -> tuple[str, str] | None:
    if here.startswith("lxc.payload."):
        return here.removeprefix("lxc.payload."), "lxc"
    if parent in ("lxc", "lxc.payload") and here:
        return here, "lxc"
    return None


def _nspawn(here: str, below: str) -> tuple[str, str] | None:
    unit = _NSPAWN.fullmatch(here)
    # The supervisor is systemd-nspawn itself, outside of the container it keeps.
    if unit is None or below == "supervisor":
        return None
    escaped = unit["scope"] or unit["service"]
    name = _SYSTEMD_ESCAPE.sub(lambda code: chr(int(code[1], 16)), escaped)
    # libvirt registers its virtual machines beside the containers.
    return None if name.startswith("qemu-") else (name, "systemd-nspawn")


def _innermost_unit(path: str) -> str:
    for segment in reversed(path.split("/")):
        unit = _UNIT.fullmatch(segment)
        if unit:
            return unit["kind"]
    return ""
