import os
from pathlib import Path

import pytest

from container_tracer.adapters.procfs.cgroup_tasks import CgroupMembers, CgroupReader
from container_tracer.domain.model.pod import Container
from container_tracer.fakes.procfs import FakeProcfs

ID = "ab" * 32
INNER = "cd" * 32
PATH = f"/docker/{ID}"


@pytest.fixture
def procfs(tmp_path: Path) -> FakeProcfs:
    fake = FakeProcfs(tmp_path / "proc")
    (fake.root / "self" / "cgroup").write_text("4:cpu,cpuacct:/\n0::/\n")
    return fake


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    return tmp_path / "sys"


@pytest.fixture
def reader(procfs: FakeProcfs, sysfs: Path) -> CgroupReader:
    return CgroupReader(procfs=str(procfs.root), sysfs=str(sysfs))


def mount(procfs: FakeProcfs, point: str, *, options: str = "", task: str = "self") -> None:
    kind = f"cgroup cgroup rw,{options}" if options else "cgroup2 cgroup2 rw"
    with (procfs.root / task / "mountinfo").open("a") as lines:
        lines.write(f"31 23 0:28 / {point} rw,relatime - {kind}\n")


def cgroup(
    folder: Path, *, pids: str = "", tids: str = "", threads: str = "cgroup.threads"
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cgroup.procs").write_text(pids)
    (folder / threads).write_text(tids)


def container(**cgroups: str) -> Container:
    numbered = {int(name.removeprefix("h")): path for name, path in cgroups.items()}
    return Container(name="c", pod="p", container_id=ID, cgroups=numbered)


def test_members_are_those_of_the_cgroup_and_of_what_it_made_below(
    procfs: FakeProcfs, sysfs: Path, reader: CgroupReader
) -> None:
    mount(procfs, f"{sysfs}/fs/cgroup")
    cgroup(sysfs / "fs/cgroup")
    own = sysfs / "fs/cgroup" / PATH[1:]
    cgroup(own, pids="10\n", tids="10\n11\n")
    cgroup(own / "sub" / "deep", pids="20\n0\n", tids="20\n")
    cgroup(own / "docker" / INNER, pids="30\n", tids="30\n")

    members = reader.members_of(container(h0=PATH))

    assert members is not None
    assert members.pids - {0} == {10, 20}
    assert members.tids == {10, 11, 20}


def test_the_hosts_sysfs_is_used_where_it_is_mounted(
    procfs: FakeProcfs, sysfs: Path, reader: CgroupReader
) -> None:
    mount(procfs, "/sys/fs/cgroup", task="1")
    cgroup(sysfs / "fs/cgroup")
    cgroup(sysfs / "fs/cgroup" / PATH[1:], pids="10\n", tids="10\n")

    assert reader.members_of(container(h0=PATH)) == CgroupMembers(
        pids=frozenset({10}), tids=frozenset({10})
    )


def test_cgroup_v1_lists_threads_under_another_name(
    procfs: FakeProcfs, sysfs: Path, reader: CgroupReader
) -> None:
    mount(procfs, f"{sysfs}/fs/cgroup/cpu", options="cpuacct,cpu")
    cgroup(sysfs / "fs/cgroup/cpu", threads="tasks")
    cgroup(sysfs / "fs/cgroup/cpu" / PATH[1:], pids="10\n", tids="10\n12\n", threads="tasks")

    assert reader.members_of(container(h4=PATH)) == CgroupMembers(
        pids=frozenset({10}), tids=frozenset({10, 12})
    )


def test_a_removed_cgroup_has_no_members(
    procfs: FakeProcfs, sysfs: Path, reader: CgroupReader
) -> None:
    mount(procfs, f"{sysfs}/fs/cgroup")
    cgroup(sysfs / "fs/cgroup")

    assert reader.members_of(container(h0=PATH)) == CgroupMembers(
        pids=frozenset(), tids=frozenset()
    )


def test_a_cgroup_that_is_not_the_containers_own_is_never_read(
    procfs: FakeProcfs, sysfs: Path, reader: CgroupReader
) -> None:
    mount(procfs, f"{sysfs}/fs/cgroup")
    cgroup(sysfs / "fs/cgroup", pids="1\n", tids="1\n")

    assert reader.members_of(container(h0="/")) is None


def test_cgroups_are_not_read_where_procfs_counts_other_pids(
    procfs: FakeProcfs, sysfs: Path, reader: CgroupReader
) -> None:
    mount(procfs, f"{sysfs}/fs/cgroup")
    cgroup(sysfs / "fs/cgroup")
    cgroup(sysfs / "fs/cgroup" / PATH[1:], pids="10\n", tids="10\n")
    (procfs.root / "self").unlink()
    (procfs.root / "self").symlink_to(str(os.getpid() + 1))

    assert reader.members_of(container(h0=PATH)) is None


@pytest.mark.parametrize("mounted", [False, True])
def test_without_a_visible_mount_nobody_is_said_to_be_gone(
    procfs: FakeProcfs, reader: CgroupReader, mounted: bool
) -> None:
    if mounted:
        mount(procfs, "/sys/fs/cgroup", task="1")

    assert reader.members_of(container(h0=PATH)) is None
