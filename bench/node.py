"""What tracing costs on this machine, as ratios within one run.

Shared machines are noisy: only what was measured side by side is compared, the medians of rounds
that take turns. Nothing here fails because a number is bad; it says what it found.
"""

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.spinning import Spinner, compiled, cpu_ns, resident_mb, spinner
from demo.node import Client, running_node

CALLS = 2_000_000
ROUNDS = 5
SECONDS = 10
TRACEFS = Path("/sys/kernel/tracing")
RESULTS = Path(__file__).parent / "results"

Figures = dict[str, float]


def main() -> None:
    """Measure everything, print a table, and keep it."""
    if os.geteuid() != 0 or (os.cpu_count() or 1) < 2:
        sys.exit("bench: needs root and two CPUs")
    figures: Figures = {}
    with TemporaryDirectory() as folder, compiled() as program, running(folder) as (node, pid):
        for part in (saturated, sixteen_sessions, idle_and_quiet, arming, both_saturated):
            for name, value in part(node, pid, program).items():
                figures[name] = value
                print(f"{name:<76}{value:>10.3f}", flush=True)
    keep(figures)


@contextmanager
def running(folder: str) -> Iterator[tuple[Client, int]]:
    """Start a node on CPU 0, away from the workload."""
    os.sched_setaffinity(0, {0})
    with running_node(f"bench-{os.getpid()}", Path(folder)) as node:
        children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
        yield node, int(children[-1])


@contextmanager
def session(node: Client, pod: str, *exporters: str) -> Iterator[str]:
    """Trace a pod, only counting if there is no exporter; gives the path of the session."""
    request = {
        "pod": pod,
        "trace-hook": "trace_syscalls",
        "exporters": exporters,
        "run": True,
    }
    path = f"/v1/trace-session/{next(iter(node.call('POST', '/v1/trace-session', request)))}"
    try:
        yield path
    finally:
        node.call("DELETE", path)


@contextmanager
def nobody_reading(pid: int) -> Iterator[None]:
    """Record the same events of a process, and read none of them."""
    path = TRACEFS / "instances" / f"bench-{os.getpid()}"
    path.mkdir()
    try:
        (path / "tracing_on").write_text("0")
        (path / "trace_clock").write_text("mono")
        (path / "buffer_size_kb").write_text("8192")
        (path / "set_event_pid").write_text(str(pid))
        (path / "events/syscalls/enable").write_text("1")
        (path / "tracing_on").write_text("1")
        yield
    finally:
        (path / "events/enable").write_text("0")
        path.rmdir()


def pod_of(node: Client, one: Spinner) -> str:
    """Name the pod the node sees the workload as."""
    worker = one.worker()
    for name, pod in node.call("GET", "/v1/pods").items():
        for container in pod["Containers"].values():
            if worker in container["Tasks"]:
                return name
    raise SystemExit("bench: the node does not see the workload")


def statistics_of(node: Client, path: str) -> dict[str, int]:
    """Return the numbers of a session, flat."""
    answer = next(iter(node.call("GET", path).values()))["Statistics"]
    return {**answer["Source"], "Spans": answer["Spans"]}


def saturated(node: Client, pid: int, program: Path) -> Figures:
    """One core makes trivial system calls as fast as it can; they are counted."""
    plain, unread, read = [], [], []
    lost, recorded, used = 0, 0, 0
    with spinner(program, cpu=1, own_namespace=True) as one:
        pod = pod_of(node, one)
        for _ in range(ROUNDS):
            plain.append(one.calls(CALLS).wall_ns)
            with nobody_reading(one.worker()):
                unread.append(one.calls(CALLS).wall_ns)
            with session(node, pod) as path:
                before = cpu_ns(pid)
                read.append(one.calls(CALLS).wall_ns)
                now = settled(node, path, 2 * CALLS)
                used += cpu_ns(pid) - before
                lost, recorded = lost + now["Lost"], recorded + now["Recorded"]
    return {
        "saturated core: events recorded, in millions": recorded / 1e6,
        "saturated core: events lost": lost,
        "saturated core: node's CPU per event, ns": used / recorded,
        "saturated core: workload, traced and read / traced and not read": ratio(read, unread),
        "saturated core: workload, traced and read / untraced": ratio(read, plain),
    }


def both_saturated(node: Client, pid: int, program: Path) -> Figures:
    """Two cores make trivial system calls as fast as they can, one of them the node's own."""
    figures: Figures = {}
    with (
        spinner(program, cpu=0, own_namespace=True) as one,
        spinner(program, cpu=1, own_namespace=True) as other,
    ):
        for what, exporters in (("counted", ()), ("written as JSON lines", ("file:jsonl",))):
            with session(node, "spin-*", *exporters) as path:
                for each in (one, other):
                    each.begin(CALLS)
                for each in (one, other):
                    each.end()
                node.call("PUT", path, {"run": False})
                now = next(iter(node.call("GET", path).values()))["Statistics"]
            recorded = now["Source"]["Recorded"]
            dropped = sum(each["Dropped"] for each in now["Exporters"].values())
            figures[f"both cores saturated, {what}: lost by the kernel's buffer, %"] = (
                100 * now["Source"]["Lost"] / recorded
            )
            if exporters:
                figures[f"both cores saturated, {what}: dropped by the queue, %"] = (
                    100 * dropped / recorded
                )
    figures["node's resident memory after writing files at full speed, MB"] = resident_mb(pid)
    return figures


def settled(node: Client, path: str, events: int) -> dict[str, int]:
    """Wait until so many events have been brought in; ask seldom, for asking costs too."""
    for _ in range(50):
        time.sleep(0.1)
        now = statistics_of(node, path)
        if now["Attributed"] + now["Lost"] >= events:
            break
    return now


def sixteen_sessions(node: Client, _pid: int, program: Path) -> Figures:
    """What a bystander's system calls cost while others are traced."""
    alone, with_one, with_sixteen = [], [], []
    with (
        spinner(program, cpu=1, own_namespace=True) as traced,
        spinner(program, cpu=1) as bystander,
    ):
        pod = pod_of(node, traced)
        for _ in range(ROUNDS):
            alone.append(bystander.calls(CALLS).wall_ns)
            with session(node, pod):
                with_one.append(bystander.calls(CALLS).wall_ns)
                with ExitStack() as more:
                    for _ in range(15):
                        more.enter_context(session(node, pod))
                    with_sixteen.append(bystander.calls(CALLS).wall_ns)
    return {
        "bystander's call: 1 session / none": ratio(with_one, alone),
        "bystander's call: 16 sessions / 1 session": ratio(with_sixteen, with_one),
    }


def idle_and_quiet(node: Client, pid: int, program: Path) -> Figures:
    """What a node costs that has nothing, or little, to do."""
    with spinner(program, cpu=1, own_namespace=True) as one:
        pod = pod_of(node, one)
        without = share_of_core(pid, lambda: time.sleep(SECONDS))
        with session(node, pod):
            time.sleep(1)
            idle = share_of_core(pid, lambda: time.sleep(SECONDS))
            # A call and the sleep after it are four events.
            quiet = share_of_core(pid, lambda: one.calls(100 * SECONDS, 10_000_000))
    return {
        "no session: node's CPU, % of a core": without,
        "idle, one session: node's CPU, % of a core": idle,
        "400 events per second: node's CPU, % of a core": quiet,
        "node's resident memory after counting 30 million events, MB": resident_mb(pid),
    }


def share_of_core(pid: int, wait: Callable[[], object]) -> float:
    """Return how much of a core a process used while something went on, in percent."""
    began, before = time.monotonic_ns(), cpu_ns(pid)
    wait()
    return 100 * (cpu_ns(pid) - before) / (time.monotonic_ns() - began)


def arming(node: Client, _pid: int, program: Path) -> Figures:
    """How long starting and stopping a session of ten containers takes."""
    starts, stops = [], []
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(spinner(program, cpu=1, own_namespace=True))
        for _ in range(ROUNDS):
            request = {"pod": "spin-*", "trace-hook": "trace_syscalls", "exporters": []}
            made = node.call("POST", "/v1/trace-session", request)
            path = f"/v1/trace-session/{next(iter(made))}"
            starts.append(milliseconds(lambda: node.call("PUT", path, {"run": True})))  # noqa: B023
            stops.append(milliseconds(lambda: node.call("PUT", path, {"run": False})))  # noqa: B023
            node.call("DELETE", path)
    return {
        "start a session of 10 containers, ms": statistics.median(starts),
        "stop it, ms": statistics.median(stops),
    }


def milliseconds(act: Callable[[], object]) -> float:
    """Return how long something takes."""
    began = time.monotonic()
    act()
    return (time.monotonic() - began) * 1000


def ratio(one: list[int], other: list[int]) -> float:
    """Compare medians."""
    return statistics.median(one) / statistics.median(other)


def keep(figures: Figures) -> None:
    """Write the figures with what they were measured on."""
    RESULTS.mkdir(exist_ok=True)
    machine = {"kernel": platform.release(), "python": platform.python_version()}
    machine["cpus"] = str(os.cpu_count())
    path = RESULTS / f"node-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.json"
    path.write_text(json.dumps({"machine": machine, "figures": figures}, indent=2) + "\n")
    print(f"written to {path}")


if __name__ == "__main__":
    main()
