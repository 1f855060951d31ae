"""A share of what a session sees is exported, and the rest is a number: with a real kernel."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.collectors import Received, attributes, beside, http_collector, is_call

from .conftest import Node, StartBox, StartNode, wait_for

pytestmark = pytest.mark.kernel

THREADS = 40
WORK = f"""
import os, threading, time

def work():
    while True:
        os.getppid()
        time.sleep(0.02)

for _ in range({THREADS}):
    threading.Thread(target=work).start()
"""
SECOND = 10**9

Window = tuple[int, int]
"""A thread, and a second of the wall clock."""


def begin(node: Node, pod: str, **more: object) -> str:
    body = {
        "pod": pod,
        "trace-hook": "trace_syscalls",
        "trace-arguments": "-s getppid",
        "run": True,
    }
    (session,) = node.ask("POST", "/v1/trace-session", {**body, **more})[1]
    return str(session)


def end(node: Node, session: str) -> Mapping[str, Any]:
    path = f"/v1/trace-session/{session}"
    assert node.ask("PUT", path, {"Run": False})[0] == 200
    told: Mapping[str, Any] = node.ask("GET", path)[1][session]
    return told


def windows_in(path: str) -> Mapping[Window, set[int]]:
    """Return when the spans of a file began, by window."""
    found: dict[Window, set[int]] = defaultdict(set)
    for line in map(json.loads, Path(path).read_text().splitlines()):
        ended = line["start_ns"] + line["duration_ns"]
        found[line["tid"], ended // SECOND].add(line["start_ns"])
    return found


def balanced(statistics: Mapping[str, Any]) -> None:
    passed = statistics["Attributed"] - statistics["FilteredOut"] - statistics["SampledOut"]
    for one in statistics["Exporters"].values():
        assert one["Delivered"] + one["Dropped"] + one["Pending"] == passed


def whole(windows: Collection[Window]) -> set[Window]:
    """Leave out the seconds in which a session began or ended."""
    seconds = {second for _, second in windows}
    return {one for one in windows if min(seconds) < one[1] < max(seconds)}


def test_every_exporter_gets_the_same_whole_seconds_of_threads_and_the_rest_is_counted(
    start_node: StartNode, start_box: StartBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = Received()
    with beside(http_collector(received)) as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        node, box = start_node("--trace-sample-rate=25"), start_box(WORK)
        pod = box.pod(node)
        everything = begin(node, pod, exporters=["file:jsonl"], **{"sample-rate": "always"})
        some = begin(node, pod, exporters=["otlp", "file:jsonl"])
        nothing = begin(node, pod, exporters=["otlp", "file:jsonl"], **{"sample-rate": 0})
        wait_for(lambda: len({span[1] for span in ends(received)}) > 4, "some seconds", 30)
        told = {session: end(node, session) for session in (nothing, some, everything)}
    for session, rate in ((everything, "always"), (some, "25"), (nothing, "never")):
        assert (told[session]["SampleRate"], told[session]["Error"]) == (rate, None)
        balanced(told[session]["Statistics"])

    statistics = told[some]["Statistics"]
    (path,) = (one for one in told[some]["Output"] if one.endswith(".jsonl"))
    exported, all_spans = windows_in(path), windows_in(told[everything]["Output"][0])
    assert {one: set(starts) for one, starts in exported.items()} == starts_by_window(received)
    numbers = statistics["Exporters"].values()
    assert {one["DeliveredSpans"] for one in numbers} == {len(received.calls)}
    assert 0 < statistics["SampledOut"] < statistics["Attributed"]
    inner = {one for one in whole(exported) if one in all_spans}
    assert all(exported[one] == all_spans[one] for one in inner)
    seconds = {second for _, second in inner}
    offered = {one for one in all_spans if one[1] in seconds}
    assert 0.05 < len(inner) / len(offered) < 0.5

    silent = told[nothing]
    assert silent["Output"] is None
    assert silent["Statistics"]["Spans"] > 0
    assert silent["Statistics"]["Passed"] == 0
    (own,) = received.sessions
    for one in (own, *received.roots):
        said = attributes(one.attributes)
        assert (said["traceSession"], said["container_tracer.sample_rate"]) == (some, "25")


def ends(received: Received) -> set[Window]:
    """Return the windows of what has arrived."""
    return set(starts_by_window(received))


def starts_by_window(received: Received) -> Mapping[Window, set[int]]:
    found: dict[Window, set[int]] = defaultdict(set)
    for _, span in received.spans():
        if is_call(span):
            tid = int(str(attributes(span.attributes)["thread.id"]))
            found[tid, span.end_time_unix_nano // SECOND].add(span.start_time_unix_nano)
    return found
