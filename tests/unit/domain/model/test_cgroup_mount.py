from pathlib import Path

from container_tracer.domain.model.cgroup_mount import (
    CgroupFolder,
    CgroupMount,
    cgroup_folders,
    cgroup_mounts,
)

DATA = Path(__file__).parents[3] / "data" / "procfs"


def test_mounts_of_a_hybrid_machine_are_all_found() -> None:
    mounts = cgroup_mounts((DATA / "hybrid.mountinfo").read_text())

    assert mounts[-1] == CgroupMount(mount_point="/sys/fs/cgroup/unified", root="/")
    assert {"name=systemd", "memory"} <= {c for mount in mounts for c in mount.controllers}


def test_folders_are_found_by_hierarchy_with_cgroup_v2_first() -> None:
    folders = cgroup_folders(
        {4: "/a", 9: "/b", 0: "/c"},
        hierarchies=(DATA / "hybrid-host.cgroup").read_text(),
        mounts=cgroup_mounts((DATA / "hybrid.mountinfo").read_text()),
    )

    assert folders == (
        CgroupFolder("/sys/fs/cgroup/unified/c", "/c"),
        CgroupFolder("/sys/fs/cgroup/memory/a", "/a"),
        CgroupFolder("/sys/fs/cgroup/systemd/b", "/b"),
    )


def test_a_mount_of_a_part_shows_only_that_part() -> None:
    (mount,) = cgroup_mounts((DATA / "v2-container.mountinfo").read_text())

    assert mount.folder(mount.root) == "/sys/fs/cgroup"
    assert mount.folder(f"{mount.root}/sub") == "/sys/fs/cgroup/sub"
    assert mount.folder("/kubepods") is None
    assert mount.folder(f"{mount.root}x") is None


def test_a_path_outside_of_the_readers_cgroup_namespace_has_no_folder() -> None:
    own = CgroupMount(mount_point="/sys/fs/cgroup", root="/")
    wider = CgroupMount(mount_point="/host/cgroup", root="/../..")

    assert own.folder("/../other") is None
    assert wider.folder("/../../other") == "/host/cgroup/other"
    assert wider.folder("/../../a/../../b") is None


def test_lines_that_mount_no_cgroups_are_passed_over() -> None:
    lines = "25 24 0:23 / /dev/shm rw - tmpfs tmpfs rw\n\nshort\n25 24 0:23 / - cgroup2\n"

    assert cgroup_mounts(lines) == ()
