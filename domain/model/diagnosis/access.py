"""May this program trace: user, capabilities, lockdown, security modules, namespaces."""

import re
from collections.abc import Iterator

from attrs import frozen

from .facts import MachineFacts
from .finding import Finding, Verdict, info, ok, problem, warning
from .mounts import parse_mounts

HOST_PID_NAMESPACE = "pid:[4026531836]"
"""PROC_PID_INIT_INO of include/linux/proc_ns.h: the same on every Linux."""


@frozen
class _Capability:
    """A number of include/uapi/linux/capability.h, and what is missing without it."""

    number: int
    harm: str
    advised: bool = False


_CAPABILITIES = {
    "CAP_DAC_OVERRIDE": _Capability(
        1, "sockets and files of other users' runtimes cannot be opened"
    ),
    "CAP_SYS_PTRACE": _Capability(19, "containers made of plain namespaces are not found"),
    "CAP_SYS_ADMIN": _Capability(21, "tracefs cannot be mounted, and perf and BPF cannot be used"),
    "CAP_SYS_NICE": _Capability(
        23, "threads that read buffers wait their turn, so more may be lost", advised=True
    ),
}
_SECCOMP_FILTER = "2"
_EVERY_USER = ["0", "0", "4294967295"]
"""`uid_map` of the first user namespace (user_namespaces(7))."""


def user(facts: MachineFacts) -> Iterator[Finding]:
    """Root, and its capabilities: only one of them makes tracing itself better."""
    if facts.process.uid != 0:
        yield problem(
            "user",
            f"This program runs as user {facts.process.uid}, not as root.",
            why="The files of tracefs are root's alone.",
            mend="sudo container-tracer doctor",
        )
        return
    if facts.process.uid_map.known and facts.process.uid_map.words != _EVERY_USER:
        yield problem(
            "user",
            "This is root of a user namespace only, as in a rootless container.",
            why="To the kernel that is an ordinary user; tracefs belongs to the host's root.",
            mend="start the container as root: sudo docker run --privileged ...",
        )
        return
    if (held := _capabilities(facts.process.status.text)) is None:
        yield info("user", "This is root; its capabilities could not be read.")
        return
    missing = {name: one for name, one in _CAPABILITIES.items() if not held & 1 << one.number}
    if not missing:
        yield ok("user", "This is root, with every capability that tracing can use.")
    for name, one in missing.items():
        yield Finding(
            subject="user",
            verdict=Verdict.WARNING if one.advised else Verdict.INFO,
            what=f"This is root without {name}.",
            why=f"Without it {one.harm}.",
            mend=f"docker run --cap-add={name.removeprefix('CAP_')} ..., or securityContext:"
            f" {{capabilities: {{add: [{name.removeprefix('CAP_')}]}}}}",
        )


def _capabilities(status: str) -> int | None:
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return int(found[1], 16) if found else None


def lockdown(facts: MachineFacts) -> Iterator[Finding]:
    """Kernel lockdown: its mode confidentiality forbids tracing."""
    if not facts.kernel.lockdown.known:
        return
    mode = re.search(r"\[(\w+)\]", facts.kernel.lockdown.text)
    if mode and mode[1] == "confidentiality":
        yield problem(
            "lockdown",
            "The kernel is locked down in mode confidentiality.",
            why="In that mode nobody may trace, not even root.",
            mend="boot with lockdown=integrity, or without lockdown=, on the kernel's command line",
        )
    else:
        yield ok("lockdown", f"Lockdown does not forbid tracing (mode {mode[1] if mode else '?'}).")


def security_modules(facts: MachineFacts) -> Iterator[Finding]:
    """AppArmor, SELinux and seccomp around this program."""
    profile = facts.process.security_profile.text.strip("\0\n ") or "unconfined"
    if facts.kernel.selinux_enforce.text.strip() == "1":
        if "unconfined" not in profile and ":spc_t:" not in profile:
            yield warning(
                "security",
                f"SELinux is enforced on this program ({profile}).",
                why="Its policy may refuse what root could otherwise do.",
                mend="docker run --security-opt label=disable ..., or run it as spc_t",
            )
    elif not profile.startswith("unconfined"):
        yield warning(
            "security",
            f"An AppArmor profile confines this program ({profile}).",
            why="Profiles of containers forbid mounting, and writing below /sys.",
            mend="docker run --security-opt apparmor=unconfined ...",
        )
    if f"\nSeccomp:\t{_SECCOMP_FILTER}" in facts.process.status.text:
        yield info(
            "security",
            "A seccomp filter is on for this program.",
            why="It may refuse mount, bpf and perf_event_open; tracing with tracefs needs none.",
        )


def pid_namespace(facts: MachineFacts) -> Iterator[Finding]:
    """Look whether tids of this program's procfs are those of the kernel's events."""
    process = facts.process
    is_host = process.pid_namespace.text.strip() == HOST_PID_NAMESPACE
    if is_host or (not process.pid_namespace.known and process.kernel_thread.words):
        yield ok("pid namespace", "This program sees the host's processes.")
        return
    sees_kernel = process.kernel_thread.words == ["kthreadd"]
    if sees_kernel:
        yield info(
            "pid namespace",
            "This program is in a pid namespace of its own, but procfs shows the host's processes.",
        )
        return
    yield problem(
        "pid namespace",
        "This program is in a pid namespace of its own, and procfs shows that one only.",
        why="The kernel's events bear pids of the host, which cannot be matched with these.",
        mend="docker run --pid=host ..., or hostPID: true; or the host's procfs with --procfs-path",
    )


def hidden_processes(facts: MachineFacts) -> Iterator[Finding]:
    """Procfs mounted with hidepid hides the processes of other users."""
    for mount in parse_mounts(facts.process.mountinfo.text):
        hides = mount.option("hidepid") if mount.kind == "proc" else ""
        if hides in ("", "0", "off"):
            continue
        held = _capabilities(facts.process.status.text) or 0
        if held & 1 << _CAPABILITIES["CAP_SYS_PTRACE"].number:
            yield info(
                "procfs",
                f"{mount.point} hides processes (hidepid={hides}), but not from this program.",
            )
        else:
            yield warning(
                "procfs",
                f"{mount.point} hides the processes of others (hidepid={hides}).",
                why="Containers of other users are not found.",
                mend=f"mount -o remount,hidepid=0 {mount.point}",
            )
