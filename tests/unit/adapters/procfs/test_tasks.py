"""Who launches the containers of a machine."""

from pathlib import Path

from container_tracer.adapters.procfs.tasks import ProcfsTaskDirectory
from container_tracer.domain.model.pod import Container
from container_tracer.fakes.procfs import FakeProcfs

ID = "ab" * 32
PATH = f"/kubepods/{ID}"
SHIM, RUNC, STAGE = 8, 9, 10


async def test_the_shim_of_a_container_that_is_being_made_is_found_by_who_is_in_its_cgroup(
    tmp_path: Path,
) -> None:
    """Of a container that does not run yet no main pid is known, and `runc` is between."""
    procfs, cgroups = FakeProcfs(tmp_path / "proc"), tmp_path / "sys/fs/cgroup"
    procfs.add(SHIM, command="containerd-shim")
    procfs.add(RUNC, command="runc", parent=SHIM)
    procfs.add(STAGE, command="runc:[1:CHILD]", parent=RUNC, cgroup=f"0::{PATH}\n")
    (procfs.root / "8/task/8/children").write_text(f"{RUNC} ")
    (procfs.root / "self/cgroup").write_text("0::/\n")
    (procfs.root / "self/mountinfo").write_text(
        f"31 23 0:28 / {cgroups} rw,relatime - cgroup2 cgroup2 rw\n"
    )
    for folder, pids in ((cgroups, ""), (cgroups / PATH[1:], f"{STAGE}\n")):
        folder.mkdir(parents=True)
        (folder / "cgroup.procs").write_text(pids)
        (folder / "cgroup.threads").write_text(pids)
    described = Container(name="main", pod="web-0", container_id=ID, cgroups={0: PATH})
    directory = ProcfsTaskDirectory(procfs=procfs.root, sysfs=tmp_path / "sys")

    launchers = await directory.launchers_of([described], ())

    assert [task.tid for task in launchers] == [SHIM, RUNC]
