"""Reading the processes of a procfs mount."""

import os
from collections.abc import Iterator

from attrs import define, field

from ...domain.model.cgroup import CgroupMembership, parse_membership
from ...domain.model.pod import Task
from ...domain.model.process import (
    Namespaces,
    Process,
    TaskStat,
    is_vmm,
    kata_sandbox,
    namespace_inode,
    parse_stat,
)
from .files import GONE, link_target, names_in, read_record, read_whole

_NAMESPACES = ("pid", "mnt", "uts", "net", "ipc")


@define
class ProcessReader:
    """Reads processes; lives for one scan, during which it remembers cgroups it has parsed.

    Whatever ends while it is read is left out. An OSError it raises is about the mount itself,
    or about this program (out of descriptors or memory).
    """

    procfs: str
    _memberships: dict[bytes, CgroupMembership] = field(factory=dict, init=False)

    def processes(self) -> Iterator[Process]:
        """Read all processes but kernel threads and the dead."""
        for pid in names_in(self.procfs):
            if pid.isdecimal():
                process = self._process(pid)
                if process:
                    yield process

    def host_namespaces(self) -> Namespaces:
        """Read the host's namespaces: those of pid 1, where this process may see them.

        Else the kernel's own threads tell, and last this process itself.
        """
        kernel = self.stat("2")
        keeper = ("2",) if kernel and kernel.kernel_thread else ()
        seen = [self.namespaces(pid) for pid in ("1", *keeper, "self")]
        return Namespaces(
            *(
                next((getattr(one, kind) for one in seen if getattr(one, kind)), 0)
                for kind in _NAMESPACES
            )
        )

    def stat(self, task: str) -> TaskStat | None:
        """Read the `stat` of a task, given as a path below the mount; None if it is gone."""
        try:
            return parse_stat(read_record(f"{self.procfs}/{task}/stat"))
        except GONE:
            return None

    def namespaces(self, task: str | int) -> Namespaces:
        """Read the namespaces of a task, given as a path below the mount."""
        links = (f"{self.procfs}/{task}/ns/{kind}" for kind in _NAMESPACES)
        return Namespaces(*(self._inode(link) for link in links))

    def membership(self, task: str) -> CgroupMembership | None:
        """Read the cgroups of a task, given as a path below the mount; None if it is gone."""
        try:
            text = read_record(f"{self.procfs}/{task}/cgroup")
        except GONE:
            return None
        known = self._memberships.get(text)
        if known is None:
            known = self._memberships[text] = parse_membership(os.fsdecode(text))
        return known

    def tids(self, process: TaskStat) -> list[int]:
        """List the threads of a process; empty if it is gone."""
        if process.threads == 1:
            return [process.tid]
        try:
            return [int(tid) for tid in names_in(f"{self.procfs}/{process.tid}/task")]
        except GONE:
            return []

    def tasks(self, pid: int) -> Iterator[Task]:
        """Read the living threads of a process."""
        folder = f"{self.procfs}/{pid}/task"
        try:
            tids = names_in(folder)
        except GONE:
            return
        for tid in tids:
            stat = self.stat(f"{pid}/task/{tid}")
            if stat and stat.alive and not stat.kernel_thread:
                yield Task(
                    tid=stat.tid,
                    pid=pid,
                    command=stat.command,
                    start_time=stat.start_time,
                    parent=stat.parent,
                )

    def process(self, pid: int) -> Process | None:
        """Read a process; None if it is gone, or a kernel thread."""
        return self._process(str(pid))

    def children(self, pid: int) -> Iterator[int]:
        """List the pids of the processes that a process has made and not outlived."""
        for task in self.tasks(pid):
            try:
                words = read_whole(f"{self.procfs}/{pid}/task/{task.tid}/children").split()
            except GONE:  # also where the kernel was built without such lists
                continue
            yield from map(int, words)

    def _process(self, pid: str) -> Process | None:
        stat = self.stat(pid)
        if stat is None or stat.kernel_thread or not (stat.alive or stat.threads > 1):
            return None
        # A leader that ended before its threads has lost its cgroups and namespaces; they have not.
        task = pid if stat.alive else self._living_thread(pid)
        membership = self.membership(task)
        if membership is None:
            return None
        namespaces = Namespaces() if membership.container else self.namespaces(task)
        sandbox = kata_sandbox(self.command_line(pid)) if is_vmm(stat.command) else ""
        return Process(stat=stat, membership=membership, namespaces=namespaces, vm_sandbox=sandbox)

    def _living_thread(self, pid: str) -> str:
        try:
            tids = [tid for tid in names_in(f"{self.procfs}/{pid}/task") if tid != pid]
        except GONE:
            tids = []
        return f"{pid}/task/{tids[0]}" if tids else pid

    def command_line(self, pid: str) -> str:
        """Read how a process was started, words separated by blanks; empty if it is gone."""
        try:
            words = read_whole(f"{self.procfs}/{pid}/cmdline")
        except GONE:
            return ""
        return words.replace(b"\0", b" ").decode(errors="replace")

    def _inode(self, link: str) -> int:
        try:
            return namespace_inode(link_target(link))
        except GONE:
            return 0
