"""What this project promises of itself, measured: losses, rates, prices, times."""

import time
from collections.abc import Callable
from contextlib import ExitStack

from attrs import frozen

from container_tracer.adapters.otlp.encoding import SpanEncoder
from container_tracer.domain.model.spans import SpanBatch
from container_tracer.domain.model.traces import cut

from . import cluster, encoding, guests
from .instances import instances, wait_for
from .measured import Figure, Spent, Spread
from .node import Node, session
from .peers.peer import Bench
from .processes import NotRun, cpu_ns, resident_mb
from .rates import rate_without_loss
from .summing import ENCODED
from .workload import all_cores, last_core, running

CONTAINERS = 10


@frozen(kw_only=True)
class Promises:
    """Measures a node; `seconds` is how long what takes time takes."""

    bench: Bench
    node: Node
    rounds: int
    seconds: int
    calls: int

    def all(self) -> dict[str, Callable[[], list[Figure]]]:
        """Return what can be measured, by name."""
        return {
            "both cores at full speed": self.saturated,
            "encoding": self.encoding,
            "spans of guests": lambda: guests.figures(rounds=self.rounds),
            "rate without loss": self.rate_without_loss,
            "prices of bystanders": self.bystanders,
            "starting and stopping": self.starting,
            "an idle node": self.idle,
            "answers of many nodes": lambda: cluster.figures(rounds=self.rounds),
        }

    def saturated(self) -> list[Figure]:
        """All cores make trivial calls as fast as they can, the node's own among them."""
        lost, cost, rates = [], [], []
        shape = all_cores("getppid")
        with running(self.bench.program, shape) as workload:
            pod = self.node.pod_of(workload)
            for _ in range(self.rounds):
                with session(self.node, pod) as one:
                    before = cpu_ns(self.node.pid)
                    spent = workload.calls(self.calls)
                    now = one.settled(self.calls)
                    cost.append((cpu_ns(self.node.pid) - before) / (2 * self.calls))
                    lost.append(now["Source"]["Lost"])
                    rates.append(2 * self.calls / spent.wall_ns * 1e3)
        return [
            Figure("all cores at full speed, summarised: events lost", Spread.of(lost), most=0),
            Figure("  events made", Spread.of(rates), "M/s"),
            Figure("  node's CPU per event", Spread.of(cost), "ns", most=250),
        ]

    def encoding(self) -> list[Figure]:
        """One core turns spans into OTLP, without a kernel and without a collector."""
        kinds = encoding.recorded_kinds()
        batches = {
            "getppid": encoding.getppids(kinds, tasks=1),
            "mix": encoding.mixed(kinds, tasks=4),
        }
        return [
            Figure(f"{ENCODED}{name}", rates, "M/s", least=1)
            for name, batch in batches.items()
            for rates in [Spread.of([_encoded(batch) for _ in range(10 * self.rounds)])]
        ]

    def rate_without_loss(self) -> list[Figure]:
        """All cores make calls at a steady rate; every one becomes a span in a collector."""
        if self.node.without_otlp:
            raise NotRun(self.node.without_otlp)
        return rate_without_loss(self.bench, self.node, seconds=self.seconds)

    def bystanders(self) -> list[Figure]:
        """What a process pays that is not traced, while another is."""
        one_session, sixteen = [], []
        shape = last_core()
        with (
            running(self.bench.program, shape) as traced,
            running(self.bench.program, shape, contained=False) as bystander,
        ):
            pod = self.node.pod_of(traced)
            for _ in range(self.rounds):
                alone = bystander.calls(self.calls)
                with session(self.node, pod), ExitStack() as more:
                    with_one = bystander.calls(self.calls)
                    for _ in range(15):
                        more.enter_context(session(self.node, pod))
                    with_sixteen = bystander.calls(self.calls)
                one_session.append(_ratio(with_one, alone))
                sixteen.append(_ratio(with_sixteen, with_one))
        return [
            Figure("a bystander's call: 1 session / none", Spread.of(one_session)),
            Figure("  16 sessions / 1 session", Spread.of(sixteen)),
        ]

    def starting(self) -> list[Figure]:
        """How long starting and stopping a session of ten containers takes."""
        starts: dict[bool, list[float]] = {True: [], False: []}
        stops, others = [], instances()
        with ExitStack() as stack:
            for _ in range(CONTAINERS):
                stack.enter_context(running(self.bench.program, last_core()))
            for number in range(2 * max(3, self.rounds)):
                # The kernel makes no instance while it removes one, which takes it a while.
                if alone := number % 2 == 0:
                    wait_for(others)
                start, stop = self._start_and_stop()
                starts[alone].append(start)
                stops.append(stop)
        name = f"start a session of {CONTAINERS} containers"
        return [
            Figure(name, Spread.of(starts[True]), "ms", most=100),
            Figure("  right after one was stopped", Spread.of(starts[False]), "ms"),
            Figure("  stop it", Spread.of(stops), "ms", most=200),
        ]

    def _start_and_stop(self) -> tuple[float, float]:
        client = self.node.client
        request = {"pod": "workload-*", "trace-hook": "trace_syscalls", "exporters": []}
        path = f"/v1/trace-session/{next(iter(client.call('POST', '/v1/trace-session', request)))}"
        start = _milliseconds(client.call, "PUT", path, {"run": True})
        stop = _milliseconds(client.call, "PUT", path, {"run": False})
        client.call("DELETE", path)
        return start, stop

    def idle(self) -> list[Figure]:
        """What a node costs that has nothing, or little, to do."""
        with running(self.bench.program, last_core()) as workload:
            pod = self.node.pod_of(workload)
            without = self._share(lambda: time.sleep(self.seconds))
            with session(self.node, pod):
                time.sleep(1)
                idle = self._share(lambda: time.sleep(self.seconds))
                # A call and the sleep after it are four events.
                quiet = self._share(lambda: workload.calls(100 * self.seconds, 100))
        return [
            Figure("node's CPU, no session", Spread.of([without]), "% of a core"),
            Figure("  one session, nothing happens", Spread.of([idle]), "% of a core"),
            Figure("  one session, 400 events a second", Spread.of([quiet]), "% of a core"),
            Figure(
                "  its resident memory in the end", Spread.of([resident_mb(self.node.pid)]), "MB"
            ),
        ]

    def _share(self, wait: Callable[[], object]) -> float:
        began, before = time.monotonic_ns(), cpu_ns(self.node.pid)
        wait()
        return 100 * (cpu_ns(self.node.pid) - before) / (time.monotonic_ns() - began)


def _encoded(batch: SpanBatch) -> float:
    """Return how many million spans a second of CPU time makes of a batch, the second time."""
    encoder, traced = SpanEncoder(encoding.RESOURCE), cut(batch, encoding.SESSION)
    encoder.spans(traced, encoding.SESSION)
    began = time.thread_time_ns()
    encoder.spans(traced, encoding.SESSION)
    return len(batch) / (time.thread_time_ns() - began) * 1e3


def _ratio(one: Spent, other: Spent) -> float:
    return one.cpu_ns / other.cpu_ns


def _milliseconds(act: Callable[..., object], *words: object) -> float:
    began = time.monotonic()
    act(*words)
    return (time.monotonic() - began) * 1000
