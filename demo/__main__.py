"""`make demo`: the main job of this program, on this machine's kernel, in a few seconds."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from .container import ThrowawayContainer, Work, throwaway_container
from .node import Client, Json, running_node
from .report import call_table, count_faults, identity_faults, identity_lines, summarise

POD = "demo-web"
TRACES = Path("build/demo").resolve()
TRACEFS = Path("/sys/kernel/tracing")


def main() -> int:
    """Run the demonstration; the last line says how it went."""
    if os.geteuid() != 0:
        sys.exit("demo: tracing the kernel needs root; run 'sudo make demo'")
    was_mounted = (TRACEFS / "instances").is_dir()
    shutil.rmtree(TRACES, ignore_errors=True)
    TRACES.mkdir(parents=True)
    work = Work()
    try:
        with (
            throwaway_container(POD, work) as container,
            running_node(f"demo-{os.getpid()}", TRACES) as node,
        ):
            faults, statistics = demonstrate(node, container, work)
    finally:
        if not was_mounted and os.path.ismount(TRACEFS):
            subprocess.run(["umount", TRACEFS], check=False)
    faults += left_behind()
    for fault in faults:
        print(f"demo: fault: {fault}")
    source = statistics["Source"]
    dropped = sum(one["Dropped"] for one in statistics["Exporters"].values())
    print(
        f"demo: {'failed' if faults else 'ok'} spans={statistics['Spans']} lost={source['Lost']}"
        f" dropped={dropped} unattributed={source['Unattributed']}"
    )
    return 1 if faults else 0


def demonstrate(node: Client, container: ThrowawayContainer, work: Work) -> tuple[list[str], Json]:
    """Trace one round of work; return what was wrong, and the session's numbers."""
    say(f"A throwaway container: {work.processes} processes of {work.threads} threads each.")
    pods = node.call("GET", "/v1/pods")
    for pod, found in pods.items():
        for name, one in found["Containers"].items():
            print(f"  pod {pod}, container {name}: {len(one['Tasks'])} tasks")
    mine = [one for one in pods.values() if container.container_id in str(one)]
    if not mine:
        raise SystemExit("demo: the node did not find the container")
    pod = next(iter(mine[0]["Containers"].values()))["Pod"]

    say("What can be traced here:")
    for hooks in node.call("GET", "/v1/trace-hooks").values():
        for hook in hooks["Tracers"].values():
            print(f"  {hook['Name']}: {hook['Description'][0]} {hook['Reason']}".rstrip())

    say("A session for it, not started yet:")
    request = {
        "pod": pod,
        "container": "*",
        "trace-hook": "trace_syscalls",
        "trace-user-context": "demo",
        "exporters": ["file:jsonl", "file:perfetto"],
    }
    session_id = next(iter(node.call("POST", "/v1/trace-session", request)))
    path = f"/v1/trace-session/{session_id}"
    began = time.monotonic()
    node.call("PUT", path, {"run": True})
    print(f"  session {session_id} records after {(time.monotonic() - began) * 1000:.0f} ms")

    began = time.monotonic()
    container.work()
    print(f"  the container worked for {(time.monotonic() - began) * 1000:.0f} ms")
    node.call("PUT", path, {"run": False})
    session = node.call("GET", path)[session_id]
    node.call("DELETE", path)
    return review(session, container, work), session["Statistics"]


def review(session: Json, container: ThrowawayContainer, work: Work) -> list[str]:
    """Show what was traced; return what was wrong with it."""
    trace, perfetto = (Path(output) for output in session["Output"])
    summaries = summarise(trace, container.container_id)
    say("What the kernel did for it:")
    print(*call_table(summaries), sep="\n")
    say("Where every event went:")
    statistics = session["Statistics"]
    print(*identity_lines(statistics), sep="\n")
    say(f"Spans as JSON lines: {trace}")
    say(f"To look at (open it in https://ui.perfetto.dev): {perfetto}")
    print()
    faults = [*identity_faults(statistics), *count_faults(summaries, work.calls())]
    if any(one["Delivered"] == 0 for one in statistics["Exporters"].values()):
        faults.append("no spans were delivered")
    return faults


def left_behind() -> list[str]:
    """Name what should have gone with the node."""
    instances = TRACEFS / "instances"
    if not instances.is_dir():
        return []
    mine = f"_demo-{os.getpid()}_"
    return [f"{one} is still there" for one in instances.iterdir() if mine in one.name]


def say(text: str) -> None:
    """Begin a part of the story."""
    print(f"\n{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
