"""Live spans and summaries of a real node, a real kernel, and clients of every temper."""

import http.client
import json
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from attrs import define, field

from .conftest import Box, Node, StartBox, StartNode, wait_for

pytestmark = pytest.mark.kernel

STORM_CALLS = 40_000
WATCHERS = 50
ON_COMMAND = """
import os, pathlib, signal, time
def storm(calls):
    for _ in range(calls): os.getppid()
gate = pathlib.Path({gate!r})
while not gate.exists(): time.sleep(0.01)
storm({calls})
gate.unlink()
signal.pause()
"""


@define
class Seen:
    """What a client was shown: numbers of spans, and the lines a stream says of itself."""

    spans: int = 0
    lines: list[dict[str, Any]] = field(factory=list)

    @property
    def dropped(self) -> int:
        return sum(line["spans"] for line in self.lines if line["stream"] == "dropped")

    @property
    def end(self) -> dict[str, Any]:
        assert self.lines[-1]["stream"] == "end"
        return self.lines[-1]

    def read(self, text: bytes) -> None:
        """Count whole lines; few of them are not spans."""
        self.spans += text.count(b"\n")
        if b'{"stream"' in text:
            own = [line for line in text.splitlines() if line.startswith(b'{"stream"')]
            self.spans -= len(own)
            self.lines += map(json.loads, own)


class Served(Protocol):
    """What can be asked over HTTP."""

    url: str


@contextmanager
def asked(node: Served, path: str, **headers: str) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection(node.url.removeprefix("http://"), timeout=60)
    with closing(connection):
        connection.request("GET", path, headers=headers)
        with connection.getresponse() as answer:
            assert answer.status == 200
            yield answer


def watch(node: Node, path: str) -> Seen:
    """Read a stream to its end."""
    with asked(node, f"{path}/events", Accept="application/x-ndjson") as answer:
        return read(answer)


def read(answer: http.client.HTTPResponse) -> Seen:
    seen, rest = Seen(), b""
    with answer:
        while block := answer.read1(1 << 20):
            whole, newline, rest = (rest + block).rpartition(b"\n")
            seen.read(whole + newline)
    assert rest == b""
    return seen


@contextmanager
def stuck(node: Served, path: str) -> Iterator[socket.socket]:
    """Ask for a stream with a socket that takes little, and read nothing."""
    host, port = node.url.removeprefix("http://").split(":")
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(60)
        client.connect((host, int(port)))
        head = (
            f"GET {path}/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/x-ndjson\r\n\r\n"
        )
        client.sendall(head.encode())
        yield client


def watchers(node: Node) -> int:
    with asked(node, "/metrics") as answer:
        text = answer.read().decode()
    (line,) = [one for one in text.splitlines() if one.startswith("container_tracer_watchers ")]
    return int(float(line.split()[1]))


def traced(node: Node, box: Box, *exporters: str, run: bool = True, lease: str = "0") -> str:
    """Trace the `getppid` of a box; return the path of the session."""
    body = {
        "pod": box.pod(node),
        "trace-hook": "trace_syscalls",
        "trace-arguments": "-s getppid",
        "exporters": exporters,
        "run": run,
        "lease": lease,
    }
    return f"/v1/trace-session/{next(iter(node.ask('POST', '/v1/trace-session', body)[1]))}"


def session(node: Node, path: str) -> dict[str, Any]:
    one: dict[str, Any] = next(iter(node.ask("GET", path)[1].values()))
    return one


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    return tmp_path / "gate"


@pytest.fixture
def stormy(start_box: StartBox, gate: Path) -> Box:
    """A container that makes its calls when the gate is there, and takes it away then."""
    return start_box(ON_COMMAND.format(gate=str(gate), calls=STORM_CALLS))


def blow(node: Node, path: str, gate: Path) -> None:
    gate.touch()
    wait_for(lambda: not gate.exists(), "the storm to be over")
    assert node.ask("PUT", path, {"Run": False})[0] == 200


def test_many_watch_a_storm_and_one_is_stuck(
    start_node: StartNode, stormy: Box, gate: Path
) -> None:
    node = start_node()
    path = traced(node, stormy)
    with ThreadPoolExecutor(WATCHERS) as clients, stuck(node, path) as sleeper:
        reading: list[Future[Seen]] = [
            clients.submit(watch, node, path) for _ in range(WATCHERS - 1)
        ]
        wait_for(lambda: watchers(node) == WATCHERS, "everybody to watch")
        blow(node, path, gate)
        seen = [one.result(60) for one in reading]
        late = http.client.HTTPResponse(sleeper)
        late.begin()
        awake = read(late)
    spans = session(node, path)["Statistics"]["Spans"]
    assert spans <= STORM_CALLS
    for one in (*seen, awake):
        assert one.spans + one.dropped == spans
        assert one.end["statistics"]["Spans"] == spans
        assert (one.lines[0]["stream"], one.end["reason"]) == ("open", "stopped by request")
    assert awake.dropped > max(one.dropped for one in seen)
    wait_for(lambda: watchers(node) == 0, "nobody to be left")


def test_a_summary_is_what_the_spans_in_a_file_come_to(
    start_node: StartNode, stormy: Box, gate: Path
) -> None:
    node = start_node()
    path = traced(node, stormy, "file:jsonl")
    blow(node, path, gate)
    (output,) = session(node, path)["Output"]
    spans = [json.loads(line) for line in (Path(node.log.parent) / output).read_text().splitlines()]
    (summary,) = node.ask("GET", f"{path}/summary?buckets=true")[1].values()
    counts = Counter((span["container_id"], span["name"]) for span in spans)
    calls = {(one["ContainerId"], one["Name"]): one for one in summary["Calls"]}
    assert {key: one["Count"] for key, one in calls.items()} == counts
    assert summary["Spans"] == len(spans)
    assert summary["Incomplete"] == sum("incomplete" in span for span in spans)
    for (container, name), one in calls.items():
        durations = sorted(
            span["duration_ns"]
            for span in spans
            if (span["container_id"], span["name"]) == (container, name)
            and "incomplete" not in span
        )
        assert (one["TotalNs"], one["MaxNs"]) == (sum(durations), durations[-1])
        assert sum(one["Buckets"].values()) == len(durations)
        for percent, found in ((50, one["P50Ns"]), (95, one["P95Ns"]), (99, one["P99Ns"])):
            real = durations[-(-percent * len(durations) // 100) - 1]
            assert abs(found - real) <= summary["RelativeError"] * real


def test_events_are_shown_from_the_start_of_a_session_that_was_waited_for(
    start_node: StartNode, stormy: Box, gate: Path
) -> None:
    node = start_node()
    path = traced(node, stormy, run=False)
    with asked(node, f"{path}/events") as answer:
        assert answer.readline() == b"event: open\n"
        assert json.loads(answer.readline().removeprefix(b"data: "))["state"] == "created"
        assert node.ask("PUT", path, {"Run": True})[0] == 200
        blow(node, path, gate)
        blocks = answer.read().decode().strip().split("\n\n")
    kinds = Counter(block.partition("\n")[0] for block in blocks)
    dropped = [block for block in blocks if block.startswith("event: dropped")]
    missed = sum(json.loads(block.partition("data: ")[2])["spans"] for block in dropped)
    spans = session(node, path)["Statistics"]["Spans"]
    assert kinds["event: span"] + missed == spans
    assert kinds["event: span"] > 0
    assert blocks[-1].startswith("event: end\n")


def test_a_signal_ends_streams_with_their_end(start_node: StartNode, start_box: StartBox) -> None:
    node, box = start_node(), start_box("import os, time\nwhile True: os.getppid(); time.sleep(0)")
    running, created = traced(node, box), traced(node, box, run=False)
    with ThreadPoolExecutor(2) as clients:
        reading = [clients.submit(watch, node, path) for path in (running, created)]
        wait_for(lambda: watchers(node) == 2, "both to watch")
        wait_for(lambda: session(node, running)["Statistics"]["Spans"] > 0, "spans")
        assert node.stop() < 5
        one, other = (each.result(20) for each in reading)
    assert node.process.returncode == 0
    assert [each.end["reason"] for each in (one, other)] == ["the node shut down"] * 2
    assert (one.end["state"], other.end["state"]) == ("stopped", "created")
    assert one.spans + one.dropped > 0


def test_a_session_whose_client_died_is_deleted_by_its_lease(
    start_node: StartNode, start_box: StartBox
) -> None:
    node, quiet = start_node(), start_box("import signal; signal.pause()")
    path = traced(node, quiet, lease="4s")
    with asked(node, f"{path}/events", Accept="application/x-ndjson") as answer:
        beats = 0
        while beats < 6:  # a second each
            beats += json.loads(answer.readline())["stream"] == "heartbeat"
        assert len(node.ask("GET", "/v1/trace-session/all")[1]) == 1
    wait_for(lambda: node.ask("GET", "/v1/trace-session/all")[1] == {}, "the session to go")
    wait_for(lambda: not node.sources(), "its instance to go")
