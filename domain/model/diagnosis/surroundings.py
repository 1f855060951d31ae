"""Containers, runtimes, other nodes, ports, and what tracing costs those who are not traced."""

from collections.abc import Iterator, Sequence

from .facts import MachineFacts, Reading, RuntimeFacts
from .finding import Finding, info, ok, warning
from .mounts import parse_mounts
from .nodes import node_pids

DEFAULT_PORT = 8080
_LISTENING = "0A"  # TCP_LISTEN of include/net/tcp_states.h
_LOCAL, _STATE = 1, 3
_DEAR_RATIO = 3.0


def cgroups(facts: MachineFacts) -> Iterator[Finding]:
    """Tell which cgroups there are; containers are recognised in all of them."""
    kinds = [mount.kind for mount in parse_mounts(facts.process.mountinfo.text)]
    v1, v2 = "cgroup" in kinds, "cgroup2" in kinds
    if v1 or v2:
        version = "v1 and v2 (hybrid)" if v1 and v2 else "v2" if v2 else "v1"
        yield info(
            "cgroups", f"Mounted are cgroups {version}{_driver(facts.surroundings.pod_cgroups)}."
        )
    else:
        yield warning(
            "cgroups",
            "No cgroups are mounted where this program can see them.",
            why="A container's tasks are then found by a scan of all processes, which is slow.",
            mend="docker run -v /sys:/sys ..., or the host's sysfs with --sysfs-path",
        )


def _driver(names: Sequence[str]) -> str:
    """Tell how the kubelet names the cgroups of pods, if it has made any."""
    if not names:
        return ""
    return "; pods by driver " + ("systemd" if names[0].endswith(".slice") else "cgroupfs")


def containers(facts: MachineFacts) -> Iterator[Finding]:
    """Containers seen."""
    here = facts.surroundings
    if here.containers_refusal:
        yield warning(
            "containers",
            f"Containers could not be listed: {here.containers_refusal}",
            why="Without them there is nothing to trace.",
        )
    elif here.containers:
        vms = f", {here.isolated_containers} of them in virtual machines" * bool(
            here.isolated_containers
        )
        yield ok("containers", f"Containers that run now: {here.containers}{vms}.")
    else:
        blind = facts.process.uid != 0
        yield info(
            "containers",
            "No container was seen to run.",
            why="Namespaces of other users' processes are shown to root only." if blind else "",
        )


def runtimes(facts: MachineFacts) -> Iterator[Finding]:
    """Container runtimes that can be asked for names, labels and images."""
    here = facts.surroundings
    if not here.cri_sockets and not here.runtimes:
        yield info("CRI", "No CRI socket was found; pods are named from procfs and files.")
    for path, usable in here.cri_sockets.items():
        if not usable:
            yield info(
                "CRI",
                f"There is a CRI socket, which this user may not connect to: {path}.",
                mend="sudo container-tracer doctor",
            )
    for runtime in here.runtimes:
        yield _runtime(runtime)


def _runtime(runtime: RuntimeFacts) -> Finding:
    if not runtime.refusal:
        title, socket = runtime.title, runtime.socket
        return ok(
            "CRI", f"A container runtime, {title}, answers at {socket}; pods: {runtime.pods}."
        )
    without = "A tracer-node finds containers through procfs where no runtime can be asked."
    if runtime.unsuitable:
        return info("CRI", runtime.refusal, why=without)
    return warning(
        "CRI",
        runtime.refusal,
        why=f"{without} It has fewer names and labels then.",
        mend="systemctl status containerd crio",
    )


def virtual_machines(facts: MachineFacts) -> Iterator[Finding]:
    """VSOCK, over which guests of Kata Containers can send spans."""
    has = "has" if facts.surroundings.has_vsock else "does not have"
    yield info("VSOCK", f"This machine {has} /dev/vsock, which only guests of Kata need.")


def nodes(facts: MachineFacts) -> Iterator[Finding]:
    """Look for a tracer-node that runs, and at its port."""
    pids = node_pids(facts.surroundings.commands)
    taken = _is_taken(facts.surroundings.listening)
    if pids:
        running = ", ".join(str(pid) for pid in pids)
        yield info("tracer-node", f"A tracer-node runs on this machine (pid {running}).")
    elif taken:
        yield warning(
            "tracer-node",
            f"No tracer-node was seen to run, and port {DEFAULT_PORT} is another program's.",
            why="A tracer-node listens there unless told otherwise.",
            mend=f"tracer-node --address 127.0.0.1:{DEFAULT_PORT + 1}",
        )
    else:
        yield info("tracer-node", f"No tracer-node was seen to run; port {DEFAULT_PORT} is free.")


def _is_taken(tables: tuple[Reading, ...]) -> bool:
    suffix = f":{DEFAULT_PORT:04X}"
    rows = (line.split() for table in tables if table.known for line in table.text.splitlines())
    return any(
        len(row) > _STATE and row[_STATE] == _LISTENING and row[_LOCAL].endswith(suffix)
        for row in rows
    )


def price(facts: MachineFacts) -> Iterator[Finding]:
    """Tell what a session costs those who are not traced."""
    measured = facts.price
    subject = "bystanders"
    if measured.skipped:
        yield info(
            subject,
            f"What tracing costs others was not measured: {measured.skipped}",
            why="Elsewhere a session cost every process about 90 ns per system call.",
        )
        return
    ratio = measured.traced_ns / max(measured.idle_ns, 1.0)
    what = (
        "While others are traced, a system call of a process that nobody traces takes"
        f" {measured.traced_ns:.0f} ns instead of {measured.idle_ns:.0f} ns ({ratio:.1f} times)."
    )
    why = "Measured just now with getppid, the cheapest call; others pay the same nanoseconds."
    if ratio > _DEAR_RATIO:
        mend = "trace fewer calls (-s openat,connect), for a shorter time (-t 10000)"
        yield warning(subject, what, why=why, mend=mend)
    else:
        yield info(subject, what, why=why)
