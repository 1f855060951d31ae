"""A folder that looks like procfs, filled with the processes a test wants."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

HOST_NAMESPACES: Mapping[str, int] = {"pid": 1, "mnt": 2, "uts": 3, "net": 4, "ipc": 5}


@frozen
class FakeProcfs:
    """Writes what discovery reads of processes below `root`; pid 1 is there from the start.

    `self` leads to the pid of the test itself, which has no `stat`, so it is in no listing.
    """

    root: Path = field()

    def __attrs_post_init__(self) -> None:
        """Start as a machine that has booted."""
        own = self.root / str(os.getpid())
        own.mkdir(parents=True)
        (self.root / "self").symlink_to(own.name)
        (own / "cgroup").write_text("0::/\n")
        self.add(1, command="systemd", cgroup="0::/init.scope\n", parent=0)

    def add(
        self,
        pid: int,
        *,
        parent: int = 1,
        command: str = "worker",
        cgroup: str = "0::/\n",
        tids: Sequence[int] = (),
        namespaces: Mapping[str, int] | None = None,
        environment: Mapping[str, str] | None = None,
        command_line: Sequence[str] = (),
        state: str = "S",
        flags: int = 0x400100,
    ) -> Path:
        """Add a process; `tids` are its threads besides the first. Its start time is its pid."""
        folder = self.root / str(pid)
        for tid in (pid, *tids):
            task = folder / "task" / str(tid)
            task.mkdir(parents=True)
            count, own_state = 1 + len(tids), state if tid == pid else "S"
            self._stat(task, tid, f"({command}) {own_state} {parent} 0 0 0 -1 {flags}", count)
            (task / "cgroup").write_text(cgroup if own_state != "Z" else "0::/\n")
            self._namespaces(task, {**HOST_NAMESPACES, **(namespaces or {})})
        for name in ("stat", "cgroup", "ns"):
            (folder / name).symlink_to(f"task/{pid}/{name}")
        variables = (environment or {}).items()
        (folder / "environ").write_text("".join(f"{key}={value}\0" for key, value in variables))
        (folder / "cmdline").write_text("".join(f"{word}\0" for word in command_line))
        (folder / "mountinfo").touch()
        return folder

    @staticmethod
    def _stat(folder: Path, tid: int, start: str, threads: int) -> None:
        middle = " ".join(["0"] * 10)
        (folder / "stat").write_text(f"{tid} {start} {middle} {threads} 0 {tid} 0 0 0\n")

    @staticmethod
    def _namespaces(folder: Path, inodes: Mapping[str, int]) -> None:
        (folder / "ns").mkdir()
        for kind, inode in inodes.items():
            (folder / "ns" / kind).symlink_to(f"{kind}:[{inode}]")
