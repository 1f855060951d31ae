"""`tracer-svc` before many simulated nodes: how long the answer of all of them takes."""

import http.client
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from attrs import define, frozen

from .measured import Figure, Spread
from .processes import NotRun, cpu_ns, ended, line_of
from .simulated_nodes import SPANS, address

PODS_PATH = "/v1/pods"
EVENTS_PATH = "/v1/trace-session/1/events"
REQUEST = f"GET {PODS_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
DEADLINE_SECONDS = 1
REFUSING = 10
START_SECONDS = 20


@define
class Svc:
    """A running `tracer-svc`, and a connection to it that is kept."""

    pid: int
    port: int
    connection: http.client.HTTPConnection

    def milliseconds(
        self, path: str = PODS_PATH, headers: Mapping[str, str] | None = None
    ) -> float:
        """Ask for a path, and return how long it took until all of the answer was there."""
        began = time.monotonic()
        self.connection.request("GET", path, headers=dict(headers or {}))
        answer = self.connection.getresponse()
        while answer.read(1 << 20):
            pass
        if answer.status != http.client.OK:
            raise NotRun(f"tracer-svc answers {path} with {answer.status}")
        return (time.monotonic() - began) * 1000

    def another(self) -> "Svc":
        """Return it with another connection."""
        return Svc(self.pid, self.port, http.client.HTTPConnection("127.0.0.1", self.port))

    def peak_mb(self) -> float:
        """Return the most memory it ever had resident, in MB of 2 ** 20 bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
        return int(found[1]) / 1024 if found else 0.0


@frozen(kw_only=True)
class Simulated:
    """Simulated nodes on one port, the first of which may hang."""

    port: int
    count: int

    def named(self) -> list[str]:
        """Write them as `--nodes` takes them."""
        return [f"node-{n}={address(n)}:{self.port}" for n in range(self.count)]

    def milliseconds(self, connections: Sequence[socket.socket]) -> float:
        """Ask all at once without any work in between; return when the slowest was done."""
        began = time.monotonic()
        with selectors.DefaultSelector() as selector:
            for one in connections:
                one.sendall(REQUEST)
                selector.register(one, selectors.EVENT_READ, [b""])
            while selector.get_map():
                for key, _ in selector.select():
                    key.data[0] += key.fileobj.recv(1 << 20)  # type: ignore[union-attr]
                    if _whole(key.data[0]):
                        selector.unregister(key.fileobj)
        return (time.monotonic() - began) * 1000

    def connections(self, stack: ExitStack) -> list[socket.socket]:
        """Connect to each of them."""
        numbers = range(self.count)
        return [
            stack.enter_context(socket.create_connection((address(n), self.port))) for n in numbers
        ]


def _whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    return len(body) == int(head.rpartition(b" ")[2] or -1)


def figures(*, rounds: int) -> list[Figure]:
    """Measure what is promised of clusters."""
    return [*_thousand(rounds), *_hundred(rounds), *_troubled(rounds), *_streamed(rounds)]


def _thousand(rounds: int) -> list[Figure]:
    with simulated(1000) as nodes, svc(nodes.named()) as one:
        one.milliseconds()  # opens the connections that are kept
        spent = [one.milliseconds() for _ in range(5 * rounds)]
        return [
            Figure("1,000 nodes answer in 20 ms: pods of all", Spread.of(spent), "ms", most=1000),
            Figure("  tracer-svc's memory at most", Spread.of([one.peak_mb()]), "MB", most=300),
        ]


def _hundred(rounds: int) -> list[Figure]:
    with ExitStack() as stack:
        nodes = stack.enter_context(simulated(100))
        one = stack.enter_context(svc(nodes.named()))
        connections = nodes.connections(stack)
        one.milliseconds()
        spent, ratios = [], []
        for _ in range(10 * rounds):
            slowest = nodes.milliseconds(connections)
            spent.append(one.milliseconds())
            ratios.append(spent[-1] / slowest)
        return [
            Figure("100 nodes answer in 20 ms: pods of all", Spread.of(spent), "ms"),
            Figure("  compared with the slowest node", Spread.of(ratios), "times", most=1.5),
        ]


def _troubled(rounds: int) -> list[Figure]:
    refusing = [f"refusing-{n}=127.0.0.1:1" for n in range(REFUSING)]
    flags = ("--node-timeout", str(DEADLINE_SECONDS))
    with (
        simulated(100 - REFUSING, hung=1) as nodes,
        svc([*nodes.named(), *refusing], *flags) as one,
        ThreadPoolExecutor() as threads,
    ):
        one.milliseconds()
        late, others = [], []
        for _ in range(rounds):
            waiting = threads.submit(one.milliseconds)
            time.sleep(DEADLINE_SECONDS / 2)
            others += [one.another().milliseconds(f"{PODS_PATH}?node=node-[1-9]*")]
            late.append(waiting.result() - DEADLINE_SECONDS * 1000)
        return [
            Figure(
                "one of 100 nodes hangs, ten refuse: later than the deadline",
                Spread.of(late),
                "ms",
                most=0,
            ),
            Figure("  another request meanwhile", Spread.of(others), "ms"),
        ]


def _streamed(rounds: int) -> list[Figure]:
    with simulated(100) as nodes, svc(nodes.named()) as one:
        rates, costs = [], []
        for _ in range(rounds):
            before = cpu_ns(one.pid)
            spent = one.milliseconds(EVENTS_PATH, {"Accept": "application/x-ndjson"})
            rates.append(100 * SPANS / spent / 1000)
            costs.append((cpu_ns(one.pid) - before) / (100 * SPANS))
        return [
            Figure("live events of 100 nodes in one stream: spans", Spread.of(rates), "M/s"),
            Figure("  tracer-svc's CPU per span", Spread.of(costs), "ns"),
            Figure("  its memory at most", Spread.of([one.peak_mb()]), "MB", most=300),
        ]


@contextmanager
def simulated(count: int, *, hung: int = 0) -> Iterator[Simulated]:
    """Start nodes in a process of their own."""
    command = [sys.executable, "-m", "bench.simulated_nodes", "--hung", str(hung)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, _ended(process):
        yield Simulated(port=int(line_of(process.stdout)), count=count)


@contextmanager
def svc(nodes: Sequence[str], *flags: str) -> Iterator[Svc]:
    """Start `tracer-svc` before nodes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [
        *(sys.executable, "-m", "container_tracer.entrypoints.svc"),
        *("--address", f"127.0.0.1:{port}", *flags),
    ]
    environ = {**os.environ, "TRACE_KUBE_NODES": ",".join(nodes)}
    with (
        subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process,
        _ended(process),
    ):
        _wait_until_it_listens(process, port)
        yield Svc(process.pid, port, http.client.HTTPConnection("127.0.0.1", port, timeout=60))


@contextmanager
def _ended(process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> Iterator[None]:
    with ended(process):
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)


def _wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise NotRun("tracer-svc does not listen")
