import pytest

from container_tracer.domain.model.cgroup import parse_membership
from container_tracer.domain.model.process import (
    Namespaces,
    Process,
    TaskStat,
    group_processes,
    is_vmm,
    kata_sandbox,
    namespace_inode,
    parse_stat,
)

HOST = Namespaces(pid=1, mnt=2, uts=3, net=4, ipc=5)
ID = "ab" * 32
LINE = (
    b"42 (%b) %b 7 42 42 0 -1 %d 93 0 0 0 0 0 0 0 20 0 3 0 215937 2596864 440 18446744073709551615"
    b" 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
)


def process(
    pid: int, *, parent: int = 1, cgroup: str = "/", own: Namespaces = HOST, vm: str = ""
) -> Process:
    return Process(
        stat=TaskStat(pid, "worker", parent, 1, pid, alive=True, kernel_thread=False),
        membership=parse_membership(f"0::{cgroup}"),
        namespaces=own,
        vm_sandbox=vm,
    )


@pytest.mark.parametrize("command", ["sh", "a b", "x) S 1 (", "((", ")", "", "tmux: server"])
def test_a_command_may_hold_blanks_and_parentheses(command: str) -> None:
    stat = parse_stat(LINE % (command.encode(), b"S", 0x400100))

    assert stat == TaskStat(42, command, 7, 3, 215937, alive=True, kernel_thread=False)


def test_a_command_of_no_encoding_is_kept_readable() -> None:
    stat = parse_stat(LINE % (b"\xff\xfe", b"R", 0))

    assert stat is not None
    assert stat.command == "\ufffd\ufffd"


def test_kernel_threads_and_the_dead_are_told_apart() -> None:
    kernel, dead = parse_stat(LINE % (b"k", b"I", 0x208040)), parse_stat(LINE % (b"z", b"Z", 0))

    assert kernel is not None
    assert kernel.kernel_thread
    assert dead is not None
    assert not dead.alive


def test_a_task_that_is_on_its_way_out_is_not_alive_although_it_still_runs() -> None:
    exiting = parse_stat(LINE % (b"sh", b"R", 0x40010C))

    assert exiting is not None
    assert not exiting.alive


@pytest.mark.parametrize("line", [b"", b"42 (sh", b"42 (sh) S 1", b"x (sh) S" + b" 0" * 40])
def test_a_line_cut_short_is_no_task(line: bytes) -> None:
    assert parse_stat(line) is None


@pytest.mark.parametrize(("link", "inode"), [("pid:[4026531836]", 4026531836), ("", 0), ("x", 0)])
def test_a_namespace_is_its_inode(link: str, inode: int) -> None:
    assert namespace_inode(link) == inode


def test_a_cgroup_decides_whatever_the_namespaces() -> None:
    members = [
        process(10, cgroup=f"/docker/{ID}", own=Namespaces(pid=77)),
        process(11, cgroup=f"/docker/{ID}/sub", own=Namespaces(pid=78)),
    ]

    (group,) = group_processes(members, HOST)

    assert (group.container_id, len(group.processes)) == (ID, 2)


@pytest.mark.parametrize(
    ("own", "cgroup", "container_id"),
    [
        (HOST, "/", None),
        (Namespaces(), "/", None),
        (Namespaces(pid=9, mnt=2, uts=3, net=4, ipc=5), "/", "pid:9"),
        (Namespaces(pid=9, mnt=9, uts=9, net=9, ipc=9), "/a.service", "pid:9"),
        (Namespaces(pid=1, mnt=9, uts=3, net=4, ipc=5), "/", None),
        (Namespaces(pid=1, mnt=2, uts=9, net=9, ipc=9), "/", None),
        (Namespaces(pid=1, mnt=9, uts=9, net=4, ipc=5), "/", "mnt:9"),
        (Namespaces(pid=1, mnt=9, uts=3, net=9, ipc=5), "/", "mnt:9"),
        (Namespaces(pid=1, mnt=9, uts=3, net=4, ipc=9), "/", "mnt:9"),
        (Namespaces(pid=1, mnt=9, uts=9, net=9, ipc=9), "/system.slice/a.service", None),
        (Namespaces(pid=0, mnt=9, uts=0, net=0, ipc=0), "/", None),
    ],
)
def test_without_a_container_cgroup_namespaces_decide(
    own: Namespaces, cgroup: str, container_id: str | None
) -> None:
    groups = group_processes([process(10, own=own, cgroup=cgroup)], HOST)

    assert [group.container_id for group in groups] == ([container_id] if container_id else [])


def test_nothing_is_a_group_where_the_hosts_namespaces_are_unknown() -> None:
    own = Namespaces(pid=9, mnt=9, uts=9, net=9, ipc=9)

    assert group_processes([process(10, own=own)], Namespaces()) == ()


def test_parents_are_those_whose_parent_is_outside() -> None:
    cgroup = f"/docker/{ID}"
    members = [
        process(12, parent=10, cgroup=cgroup),
        process(10, parent=3, cgroup=cgroup),
        process(15, parent=3, cgroup=cgroup),
        process(13, parent=12, cgroup=cgroup),
    ]

    (group,) = group_processes(members, HOST)

    assert group.parents == (10, 15)
    assert group.first.stat.tid == 10


def test_groups_come_oldest_first() -> None:
    young, old = (process(pid, own=Namespaces(pid=pid)) for pid in (30, 20))

    groups = group_processes([young, old], HOST)

    assert [group.container_id for group in groups] == ["pid:20", "pid:30"]


@pytest.mark.parametrize(
    ("words", "sandbox"),
    [
        (f"/opt/kata/bin/qemu-system-x86_64 -name sandbox-{ID},debug-threads=on", ID),
        (f"cloud-hypervisor --api-socket /run/vc/vm/{ID}/clh-api.sock", ID),
        (f"firecracker --api-sock /run/vc/firecracker/{ID}/root/api", ID),
        (f"cloud-hypervisor --api-socket /run/kata/{ID}/ch-api.sock", ID),
        (f"firecracker --api-sock /run/kata/firecracker/{ID}/root/run/fc.sock", ID),
        ("qemu-system-x86_64 -name guest=vm1", ""),
        ("", ""),
    ],
)
def test_the_command_line_of_a_vmm_names_its_kata_sandbox(words: str, sandbox: str) -> None:
    assert kata_sandbox(words) == sandbox


def test_vmms_are_known_by_their_cut_command_names() -> None:
    assert all(map(is_vmm, ["qemu-system-x86", "cloud-hyperviso", "firecracker"]))
    assert not is_vmm("nginx")


def test_a_kata_vmm_stands_for_its_sandbox_wherever_it_runs() -> None:
    outside = process(10, vm=ID, cgroup="/system.slice/containerd.service")
    overhead = process(11, vm=ID, cgroup=f"/kata_overhead/{ID}")

    for one in (outside, overhead):
        (group,) = group_processes([one], HOST)
        assert group.isolated
        assert group.container_id == ID


def test_words_of_a_command_line_bring_nobody_into_a_container() -> None:
    container, stranger = process(10, cgroup=f"/docker/{ID}"), process(11, vm=ID)

    real, other = group_processes([container, stranger], HOST)

    assert (real.processes, real.isolated) == ((container,), False)
    assert other.processes == (stranger,)


def test_a_vmm_that_someone_runs_in_a_container_isolates_nothing() -> None:
    (group,) = group_processes([process(10, cgroup=f"/docker/{ID}")], HOST)

    assert not group.isolated
