"""make bench: what tracing costs on this machine, with this tool and with others, in one run.

Only ratios within one run are compared: rounds take turns, medians and bounds are shown. Nothing
fails because a number is bad, or because a tool is missing: what could not be measured is said.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen

from . import node
from .comparing import Extent, compare
from .installing import provide
from .page import publish
from .peers import bpftrace, libtracefs, otel_sdk, perf, strace, trace_cmd
from .peers.peer import Bench, Tool
from .processes import NotRun, compiled
from .promises import Promises
from .results import Results, begun, read
from .sink import running_sink
from .summing import derived
from .table import rendered
from .workload import SOURCE, shapes

PEERS = (strace, perf, bpftrace, trace_cmd, libtracefs, otel_sdk)


@frozen(kw_only=True)
class Mode:
    """How much is measured: rounds for each shape, and rounds and seconds of our own figures."""

    rounds: tuple[int, ...]
    calls: int
    heavy_calls: int
    promised_rounds: int
    promised_seconds: int


MODES = {
    "quick": Mode(
        rounds=(2, 2), calls=300_000, heavy_calls=10_000, promised_rounds=2, promised_seconds=2
    ),
    "full": Mode(
        rounds=(5, 3, 3), calls=1_000_000, heavy_calls=50_000, promised_rounds=3, promised_seconds=5
    ),
}


def main() -> None:
    """Measure, print, and keep."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("mode", choices=MODES, nargs="?", default="full")
    parser.add_argument(
        "--from", dest="kept", type=Path, help="print the results of an earlier run"
    )
    parser.add_argument("--publish", action="store_true", help="write docs/performance.md too")
    options = parser.parse_args()
    results = read(options.kept) if options.kept else measured(options.mode)
    print("\n" + rendered(results))
    if options.publish:
        publish(results)


def measured(name: str) -> Results:
    """Measure everything there is to measure here."""
    if os.geteuid() != 0 or (os.cpu_count() or 1) < 2:
        sys.exit("bench: needs root and two CPUs")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to leave nothing behind
    results = begun(name)
    try:
        with ExitStack() as stack:
            _measure(results, MODES[name], stack)
    except KeyboardInterrupt:
        sys.exit("bench: interrupted; what it started is ended and removed")
    except NotRun as reason:
        sys.exit(f"bench: {reason}")
    print(f"written to {os.path.relpath(results.write())}")
    return results


def _measure(results: Results, mode: Mode, stack: ExitStack) -> None:
    folder = Path(stack.enter_context(TemporaryDirectory()))
    sink = stack.enter_context(running_sink(folder))
    bench = Bench(program=compiled(SOURCE, folder), folder=folder, sink=sink)
    peers = _peers(bench, results)
    tracer = stack.enter_context(node.started(bench))
    tools = [*peers, *node.tools(bench, tracer)]
    for shape, rounds in zip(shapes(), mode.rounds, strict=False):
        extent = Extent(rounds, mode.calls, mode.heavy_calls)
        compared = compare(bench, tools, shape, extent=extent, told=_told)
        results.tools += compared.figures
        for one, reason in compared.missing.items():
            worked = any(each.tool == one for each in results.tools)
            results.missing.setdefault(f"{one} ({shape.name})" if worked else one, reason)
    promises = Promises(
        bench=bench,
        node=tracer,
        rounds=mode.promised_rounds,
        seconds=mode.promised_seconds,
        calls=2 * mode.calls,
    )
    for name, measure in promises.all().items():
        _told(name)
        _try(name, lambda: results.figures.extend(measure()), results)  # noqa: B023
    results.figures += derived(results)


def _peers(bench: Bench, results: Results) -> list[Tool]:
    tools: list[Tool] = []
    for peer in PEERS:
        name = peer.__name__.rpartition(".")[2]

        def prepare() -> None:
            provide(peer)  # noqa: B023
            tools.extend(peer.tools(bench))  # noqa: B023

        _try(name, prepare, results)
    return tools


def _try(name: str, act: Callable[[], object], results: Results) -> None:
    try:
        act()
    except (NotRun, SystemExit) as reason:
        results.missing[name] = str(reason)


def _told(text: str) -> None:
    print(f"… {text}", flush=True)


if __name__ == "__main__":
    main()
