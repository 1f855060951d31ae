"""container-tracer itself, as a tool among others: a node, and its sessions."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from attrs import define, field, frozen

from demo.node import Client, running_node

from .measured import Round
from .peers.peer import Bench
from .processes import NotRun, children_of, cpu_ns
from .workload import Shape, Workload, running

SETTLE_SECONDS = 60
SEEN_SECONDS = 20
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@define
class Node:
    """A running node; `without_otlp` says why it has no such exporter, if it has none."""

    client: Client
    pid: int
    without_otlp: str = field(default="")

    def pod_of(self, workload: Workload) -> str:
        """Name the pod it sees a workload as, which takes a moment: it has no cgroup."""
        deadline = time.monotonic() + SEEN_SECONDS
        while time.monotonic() < deadline:
            for name, pod in self.client.call("GET", "/v1/pods").items():
                for container in pod["Containers"].values():
                    if workload.pid in container["Tasks"]:
                        return str(name)
            time.sleep(0.1)
        raise NotRun("the node does not see the workload")


@frozen
class Session:
    """A running session."""

    client: Client
    path: str

    def statistics(self) -> dict[str, Any]:
        """Return its numbers as the API gives them."""
        answer = next(iter(self.client.call("GET", self.path).values()))
        numbers: dict[str, Any] = answer["Statistics"]
        return numbers

    def delivered(self, statistics: dict[str, Any]) -> int:
        """How many spans every exporter delivered, or, without any, are in the summary."""
        exporters = statistics["Exporters"].values()
        if exporters:
            return min(int(one["DeliveredSpans"]) for one in exporters)
        answer = next(iter(self.client.call("GET", f"{self.path}/summary").values()))
        return int(answer["Spans"])

    def settled(self, calls: int) -> dict[str, Any]:
        """Wait until so many calls are recorded, brought in and written; ask seldom, it costs."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            time.sleep(0.1)
            now = self.statistics()
            waiting = sum(one["PendingSpans"] for one in now["Exporters"].values())
            recorded, pending = now["Source"]["Recorded"], now["Source"]["Pending"]
            if recorded >= 2 * calls and not pending and not waiting:
                return now
            if time.monotonic() > deadline:
                raise NotRun(
                    f"after {SETTLE_SECONDS} s, of {2 * calls} events {recorded} were recorded and "
                    f"{pending} of them not brought in yet; {waiting} spans were not written yet"
                )


def dropped(statistics: dict[str, Any]) -> int:
    """How many events the exporters of a session dropped, all together."""
    return sum(one["Dropped"] for one in statistics["Exporters"].values())


@contextmanager
def session(node: Node, pod: str, exporters: tuple[str, ...] = ()) -> Iterator[Session]:
    """Trace a pod, only counting if there is no exporter."""
    request = {"pod": pod, "trace-hook": "trace_syscalls", "exporters": exporters, "run": True}
    made = node.client.call("POST", "/v1/trace-session", request)
    path = f"/v1/trace-session/{next(iter(made))}"
    try:
        yield Session(node.client, path)
    finally:
        node.client.call("DELETE", path)


@contextmanager
def started(bench: Bench) -> Iterator[Node]:
    """Start a node that sends to the collector, or one that cannot, if this version cannot."""
    os.environ[ENDPOINT] = bench.sink.url
    refused = ""
    try:
        with _running(bench) as node:
            yield node
            return
    except SystemExit as error:
        if "ended at once" not in str(error):
            raise
        refused = str(error).splitlines()[-1]
    finally:
        del os.environ[ENDPOINT]
    with _running(bench) as node:
        node.without_otlp = refused
        yield node


@contextmanager
def _running(bench: Bench) -> Iterator[Node]:
    mine = os.getpid()
    before = set(children_of(mine))
    with running_node(f"bench-{mine}", bench.folder) as client:
        (pid,) = set(children_of(mine)) - before
        yield Node(client, pid)


@frozen(kw_only=True)
class NodeTool:
    """A session of a node, with or without exporters."""

    bench: Bench
    node: Node
    name: str
    exporters: tuple[str, ...] = ()
    heavy: bool = False

    def measure(self, shape: Shape, calls: int, rate: int = 0) -> Round:
        """Run one round of so many calls, at full speed or so many a second."""
        if "otlp" in self.exporters and self.node.without_otlp:
            raise NotRun(self.node.without_otlp)
        with running(self.bench.program, shape) as workload:
            pod = self.node.pod_of(workload)
            with session(self.node, pod, self.exporters) as one:
                before = cpu_ns(self.node.pid)
                spent = workload.calls(calls, rate)
                now = one.settled(calls)
                used = cpu_ns(self.node.pid) - before
                delivered = one.delivered(now)
        self._remove_files()
        return Round(
            calls=calls,
            spent=spent,
            captured=delivered,
            lost=now["Source"]["Lost"] + dropped(now),
            tool_cpu_ns=used,
        )

    def _remove_files(self) -> None:
        for path in self.bench.folder.glob("*.json*"):
            path.unlink()


def tools(bench: Bench, node: Node) -> list[NodeTool]:
    """Return the ways of this project."""
    return [
        NodeTool(bench=bench, node=node, name="container-tracer, summary"),
        NodeTool(bench=bench, node=node, name="container-tracer, OTLP", exporters=("otlp",)),
        NodeTool(
            bench=bench, node=node, name="container-tracer, JSON lines", exporters=("file:jsonl",)
        ),
    ]
