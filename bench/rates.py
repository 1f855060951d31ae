"""How many calls a second all become spans in a collector."""

import time

from attrs import frozen

from .measured import Figure, Spread
from .node import Node, dropped, session
from .peers.peer import Bench
from .processes import cpu_ns
from .workload import all_cores, running

RATES = (100_000, 200_000, 300_000, 400_000, 500_000)
WANTED = 300_000
CLOSE = 0.97
"""A paced workload sleeps between bursts: it comes this close to the rate it is asked for."""


@frozen(kw_only=True)
class Sent:
    """What became of calls at a steady rate.

    - `rate`, `reached`: calls a second that were wanted, and made
    - `lost_events`: lost by the kernel's buffer or dropped by the queue
    - `missing`: calls that are no span in the collector
    - `behind_ms`: how long after the last call the last span had arrived; spans are sent in
      batches of up to a second
    - `cost_ns`: the node's CPU per span
    """

    rate: int
    calls: int
    reached: float
    lost_events: int
    missing: int
    behind_ms: float
    cost_ns: float

    @property
    def whole(self) -> bool:
        """Whether every call arrived, and nothing was lost on the way."""
        return not self.missing and not self.lost_events


def rate_without_loss(bench: Bench, node: Node, *, seconds: int) -> list[Figure]:
    """All cores make calls at a steady rate; every one becomes a span in a collector."""
    whole: list[Sent] = []
    failed: list[Sent] = []
    for rate in RATES:
        # A second try, for what else runs on this machine may have spoilt the first.
        tries = [sent(bench, node, rate, seconds)]
        if not tries[0].whole:
            tries.append(sent(bench, node, rate, seconds))
        if not tries[-1].whole:
            failed = tries[-1:]
            break
        whole.append(tries[-1])
    name = "spans a second into a collector, nothing missing"
    best = max((one.reached for one in whole), default=0.0)
    return [
        Figure(name, Spread.of([best]), least=WANTED * CLOSE),
        *(Figure("  the last after", Spread.of([one.behind_ms]), "ms") for one in whole[-1:]),
        *(Figure("  node's CPU per span", Spread.of([one.cost_ns]), "ns") for one in whole[-1:]),
        *(_missing(one) for one in failed),
    ]


def _missing(one: Sent) -> Figure:
    share = Spread.of([100 * one.missing / one.calls])
    return Figure(f"  missing at {one.rate:,} calls a second", share, "%")


def sent(bench: Bench, node: Node, rate: int, seconds: int) -> Sent:
    """Let all cores make calls at a rate for so many seconds, and follow them."""
    calls = rate * seconds
    with running(bench.program, all_cores("getppid")) as workload:
        pod = node.pod_of(workload)
        sunk = bench.sink.received()
        with session(node, pod, ("otlp",)) as one:
            before = cpu_ns(node.pid)
            spent = workload.calls(calls, rate)
            ended = time.monotonic()
            now = one.settled(calls)
            behind_ms = (time.monotonic() - ended) * 1000
            used = cpu_ns(node.pid) - before
            delivered = one.delivered(now)
        received = bench.sink.received()
    arrived = received.spans - sunk.spans
    return Sent(
        rate=rate,
        calls=calls,
        reached=calls / spent.wall_ns * 1e9,
        lost_events=now["Source"]["Lost"] + dropped(now),
        missing=max(0, calls - min(arrived, delivered)),
        behind_ms=behind_ms,
        cost_ns=used / max(1, delivered),
    )
