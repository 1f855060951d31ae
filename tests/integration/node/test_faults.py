"""The node as a program on a network that fails by chance: from the kernel's counters on."""

import time
from typing import Any, cast

import pytest

from tests.collectors import beside
from tests.faults.exchanges import Fault
from tests.faults.wires import JAEGER, OTLP_GRPC, Run, begun
from tests.integration.containers.sessions import freeze

from .conftest import Node, StartBox, StartNode

pytestmark = pytest.mark.kernel

LOAD = "import os, time\nwhile True: os.getppid(); os.getppid(); time.sleep(0.001)"
UNREST_SECONDS = 3
TIMEOUT_SECONDS = 6.0
FAULTS = {
    Fault.REFUSES: 0.06,
    Fault.TALKS_GARBAGE: 0.08,
    Fault.RESETS_REQUEST: 0.1,
    Fault.SLOW: 0.05,
    Fault.TRICKLES: 0.05,
    Fault.RESETS_ANSWER: 0.12,
    Fault.BREAKS_ANSWER: 0.1,
    Fault.ANSWERS_TWICE: 0.05,
}


def statistics(node: Node, session: str) -> dict[str, Any]:
    """Ask for the numbers of a session, of which the identities hold at any moment."""
    seen: dict[str, Any] = node.ask("GET", f"/v1/trace-session/{session}")[1][session]["Statistics"]
    assert seen["Attributed"] == sum(seen[fate] for fate in ("FilteredOut", "SampledOut", "Passed"))
    for one in seen["Exporters"].values():
        assert seen["Passed"] == sum(one[fate] for fate in ("Delivered", "Dropped", "Pending"))
    return seen


def check_source(seen: dict[str, Any], recorded: dict[int, int]) -> None:
    """See that what the kernel has counted is what is accounted for."""
    source = seen["Source"]
    assert {int(cpu): one["Recorded"] for cpu, one in source["Cpus"].items()} == recorded
    fates = ("Attributed", "Unattributed", "Lost", "Malformed", "Pending")
    assert sum(recorded.values()) == source["Recorded"] == sum(source[fate] for fate in fates)
    assert (source["Attributed"], source["Pending"]) == (seen["Attributed"], 0)


def check_arrived(run: Run, counted: dict[str, int]) -> None:
    """See that what counts as delivered is there, and that what came again had no answer.

    The node sends spans of its own there, too.
    """
    least, most = (
        [one.name for one in run.ledger.known(doubtful=doubtful)].count("getppid")
        for doubtful in (False, True)
    )
    assert least <= counted["DeliveredSpans"] <= most
    run.ledger.check_twice()
    assert run.exchanges.done


def test_what_the_kernel_recorded_is_delivered_or_dropped_to_the_unit(
    start_node: StartNode, start_box: StartBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        beside(begun(OTLP_GRPC, 1, faults=FAULTS, timeout_seconds=TIMEOUT_SECONDS)) as first,
        beside(begun(JAEGER, 2, faults=FAULTS, timeout_seconds=TIMEOUT_SECONDS)) as second,
    ):
        runs = {"otlp": cast("Run", first), "jaeger": cast("Run", second)}
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", runs["otlp"].url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        monkeypatch.setenv("JAEGER_ENDPOINT", runs["jaeger"].url)
        node, box = start_node("--trace-exporter=otlp", "--trace-exporter=jaeger"), start_box(LOAD)
        body = {
            "pod": box.pod(node),
            "trace-hook": "trace_syscalls",
            "trace-arguments": "-s getppid",
            "run": True,
        }
        (session,) = node.ask("POST", "/v1/trace-session", body)[1]
        until = time.monotonic() + UNREST_SECONDS
        while time.monotonic() < until:
            statistics(node, session)
            time.sleep(0.1)
        recorded = freeze(node)
        for run in runs.values():
            run.calm()
        assert node.ask("PUT", f"/v1/trace-session/{session}", {"Run": False})[0] == 200
        seen = statistics(node, session)
        check_source(seen, recorded)
        for name, run in runs.items():
            assert seen["Exporters"][name]["Pending"] == 0
            check_arrived(run, seen["Exporters"][name])
