"""Processes of a machine become groups: one per container, one per set of own namespaces.

The rule. Processes in a container's cgroup are that container, whatever their namespaces. Of the
others, a process in another pid namespace than the host's belongs to the group of that pid
namespace (the innermost, if they nest). One in the host's pid namespace belongs to the group of
its mount namespace, if that and its network, host name or IPC namespace are not the host's, and
no systemd service is around it: services with private folders are no containers. A namespace that
may not be read is taken for the host's. Kernel threads and the dead are never in a group.
"""

import re
from collections.abc import Iterable

from attrs import field, frozen

from .cgroup import CgroupMembership, ContainerCgroup

_VM = "vm:"
# PF_EXITING and PF_KTHREAD of include/linux/sched.h
_EXITING, _KERNEL_THREAD = 0x00000004, 0x00200000
# Fields of proc_pid_stat(5), counted from the state, which follows the command.
_STATE, _PARENT, _FLAGS, _THREADS, _START_TIME = 0, 1, 6, 17, 19

# The kernel cuts names to 15 characters, so cloud-hypervisor has lost its last letter.
_VMM_COMMANDS = ("qemu-", "cloud-hyperviso", "firecracker", "stratovirt", "openvmm")
# The name Kata gives to QEMU, and the folders where its runtimes keep the sockets of a sandbox.
_KATA_SANDBOX = re.compile(
    r"sandbox-([0-9a-f]{64})|/run/vc/(?:vm|sbs|firecracker)/([^/,\s]+)"
    r"|/run/kata/(?:firecracker/)?([^/,\s]+)"
)


@frozen
class TaskStat:
    """A line of `/proc/PID/stat` or `/proc/PID/task/TID/stat`.

    `parent` is a pid, `start_time` in clock ticks since boot, `threads` those of the process.
    `alive` says that its `sched_process_exit` is still to come: the kernel marks a task as exiting
    before that event, and as a zombie after it.
    """

    tid: int
    command: str
    parent: int
    threads: int
    start_time: int
    alive: bool
    kernel_thread: bool


def parse_stat(line: bytes) -> TaskStat | None:
    """Read a `stat` line; None if it is cut short, as when the task ended meanwhile.

    The command may hold blanks, parentheses and bytes of no encoding.
    """
    head, _, tail = line.rpartition(b")")
    tid, _, command = head.partition(b" (")
    fields = tail.split(maxsplit=_START_TIME + 1)
    if not tid.isdigit() or len(fields) <= _START_TIME:
        return None
    flags = int(fields[_FLAGS])
    return TaskStat(
        int(tid),
        command.decode(errors="replace"),
        int(fields[_PARENT]),
        int(fields[_THREADS]),
        int(fields[_START_TIME]),
        fields[_STATE] not in (b"Z", b"X") and not flags & _EXITING,
        bool(flags & _KERNEL_THREAD),
    )


@frozen
class Namespaces:
    """Inodes of kernel namespaces; 0 is one that could not be read."""

    pid: int = 0
    mnt: int = 0
    uts: int = 0
    net: int = 0
    ipc: int = 0


def namespace_inode(link: str) -> int:
    """Read a link such as `pid:[4026531836]` (namespaces(7)); 0 if it is none."""
    number = link.rpartition("[")[2].removesuffix("]")
    return int(number) if number.isdecimal() else 0


@frozen(kw_only=True)
class Process:
    """A process that runs; its tid in `stat` is its pid.

    `namespaces` need not be known where the cgroup names a container. `vm_sandbox` is the Kata
    sandbox whose virtual machine monitor it is.
    """

    stat: TaskStat
    membership: CgroupMembership = field(factory=CgroupMembership)
    namespaces: Namespaces = field(factory=Namespaces)
    vm_sandbox: str = ""


@frozen(kw_only=True)
class ProcessGroup:
    """Processes that are one container, oldest first.

    `container_id` is `pid:INODE` or `mnt:INODE` where only namespaces hold the group together.
    """

    key: str
    container_id: str
    processes: tuple[Process, ...]
    cgroup: ContainerCgroup | None = None

    @property
    def first(self) -> Process:
        """Return the oldest process."""
        return self.processes[0]

    @property
    def parents(self) -> tuple[int, ...]:
        """Return the pids of the processes whose parent is not in the group."""
        inside = {process.stat.tid for process in self.processes}
        return tuple(p.stat.tid for p in self.processes if p.stat.parent not in inside)

    @property
    def isolated(self) -> bool:
        """Tell whether a virtual machine monitor stands here for the container."""
        return any(process.vm_sandbox for process in self.processes) or (
            self.cgroup is not None and self.cgroup.runtime == "kata"
        )


def group_processes(processes: Iterable[Process], host: Namespaces) -> tuple[ProcessGroup, ...]:
    """Sort processes into groups, oldest group first; those of the host are left out."""
    found: dict[str, list[Process]] = {}
    for process in processes:
        key = group_key(process, host)
        if key:
            found.setdefault(key, []).append(process)
    groups = (_group(key, members) for key, members in found.items())
    return tuple(sorted(groups, key=lambda g: (g.first.stat.start_time, g.first.stat.tid)))


def group_key(process: Process, host: Namespaces) -> str:
    """Name the group a process belongs to; empty for the host's own."""
    own, cgroup = process.namespaces, process.membership.container
    if cgroup:
        return cgroup.key
    if process.vm_sandbox:
        # Anyone may start a program with these words: it must not join a container by its id.
        return f"{_VM}{process.vm_sandbox}"
    if _differ(own.pid, host.pid):
        return f"pid:{own.pid}"
    if process.membership.in_service or not _differ(own.mnt, host.mnt):
        return ""
    more = ((own.uts, host.uts), (own.net, host.net), (own.ipc, host.ipc))
    return f"mnt:{own.mnt}" if any(_differ(mine, hosts) for mine, hosts in more) else ""


def key_without_cgroup(container_id: str, *, isolated: bool) -> str:
    """Return the key of a group that no cgroup holds together; the inverse of its id."""
    return f"{_VM}{container_id}" if isolated else container_id


def is_vmm(command: str) -> bool:
    """Tell whether a command name is that of a virtual machine monitor which Kata uses."""
    return command.startswith(_VMM_COMMANDS)


def kata_sandbox(command_line: str) -> str:
    """Find the Kata sandbox in the command line of a virtual machine monitor, else empty."""
    found = _KATA_SANDBOX.search(command_line)
    return next(filter(None, found.groups())) if found else ""


def _differ(own: int, host: int) -> bool:
    return bool(own and host and own != host)


def _group(key: str, members: list[Process]) -> ProcessGroup:
    cgroup = members[0].membership.container
    return ProcessGroup(
        key=key,
        container_id=cgroup.container_id if cgroup else key.removeprefix(_VM),
        processes=tuple(sorted(members, key=lambda p: (p.stat.start_time, p.stat.tid))),
        cgroup=cgroup,
    )
