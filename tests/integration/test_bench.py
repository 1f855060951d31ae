"""The benchmark's own workload and collector count right, and it leaves nothing behind."""

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ROOT = Path(__file__).parents[2]
INSTANCES = Path("/sys/kernel/tracing/instances")
sys.path.append(str(ROOT))

from bench import cluster, sink, workload  # noqa: E402
from bench.instances import recording  # noqa: E402
from bench.processes import compiled  # noqa: E402
from bench.simulated_nodes import PODS, SPANS  # noqa: E402

pytestmark = pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed here")


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[sink.Sink]:
    with sink.running_sink(tmp_path) as one:
        yield one


def post(url: str, body: bytes, **headers: str) -> int:
    request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        status: int = answer.status
        return status


def spans(with_parent: int, without: int) -> bytes:
    request = ExportTraceServiceRequest()
    for _ in range(2):
        found = request.resource_spans.add().scope_spans.add().spans
        for number in range(with_parent + without):
            one = found.add(name="read", trace_id=b"t" * 16, span_id=b"s" * 8)
            one.start_time_unix_nano = number
            if number < with_parent:
                one.parent_span_id = b"p" * 8
    data: bytes = request.SerializeToString()
    return data


def test_the_collector_counts_spans_with_and_without_a_parent(collector: sink.Sink) -> None:
    body = spans(3, 2)
    assert post(collector.traces_url, body) == 200
    assert post(collector.traces_url, body) == 200
    got = collector.received()
    assert (got.requests, got.bytes, got.spans, got.others) == (2, 2 * len(body), 12, 8)
    assert got.unread == 0


@pytest.mark.parametrize("cut", [1, 7, 30])
def test_the_collector_says_what_it_could_not_read(collector: sink.Sink, cut: int) -> None:
    body = spans(1, 1)
    post(collector.traces_url, body[:-cut])
    post(collector.traces_url, gzip.compress(body), **{"Content-Encoding": "gzip"})
    assert collector.received().unread == 2


def test_simulated_nodes_answer_svc_but_for_those_that_hang() -> None:
    with cluster.simulated(3, hung=1) as nodes, cluster.svc(nodes.named()) as svc:
        url = f"http://127.0.0.1:{svc.port}"
        asked = f"{url}/v1/pods?node=node-[12]"
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
            pods = json.load(answer)
        assert {name.rpartition("-")[0] for name in pods} == {"web-node-1", "web-node-2"}
        assert len(pods) == 2 * PODS
        wanted = urllib.request.Request(  # noqa: S310 - loopback
            f"{url}{cluster.EVENTS_PATH}?node=node-[12]",
            headers={"Accept": "application/x-ndjson"},
        )
        with urllib.request.urlopen(wanted, timeout=30) as answer:  # noqa: S310
            lines = answer.read().splitlines()
        assert sum(b'"name":"openat"' in line for line in lines) == 2 * SPANS
        assert json.loads(lines[-1])["stream"] == "end"


@pytest.mark.kernel
@pytest.mark.skipif(os.geteuid() != 0 or not INSTANCES.is_dir(), reason="needs root and tracefs")
@pytest.mark.parametrize("shape", workload.shapes(), ids=lambda one: one.name)
def test_the_workload_makes_the_calls_it_is_asked_for(
    shape: workload.Shape, tmp_path: Path
) -> None:
    program = compiled(workload.SOURCE, tmp_path)
    calls = 8_000 * len(shape.cpus)
    with workload.running(program, shape) as one, recording(one.pid) as instance:
        spent = one.calls(calls)
        stats = "".join(path.read_text() for path in instance.glob("per_cpu/cpu*/stats"))
    recorded = sum(int(count) for count in re.findall(r"^entries: (\d+)", stats, re.MULTILINE))
    assert spent.wall_ns > 0
    assert 2 * calls <= recorded <= 2 * calls + 200  # it also reads, writes and starts threads


@pytest.mark.kernel
@pytest.mark.skipif(
    os.geteuid() != 0 or not INSTANCES.is_dir() or (os.cpu_count() or 1) < 2,
    reason="needs root, tracefs and two CPUs",
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_leaves_nothing_behind(number: int, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "bench", "quick"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "BENCH_INSTALL": "0", "TMPDIR": str(tmp_path)},
        start_new_session=True,
    ) as run:  # fmt: skip
        assert run.stdout is not None
        assert any("round 1" in line for line in run.stdout)
        run.send_signal(number)
        _, said = run.communicate(timeout=60)
    assert run.returncode == 1, said
    assert "interrupted" in said
    assert not [one for one in INSTANCES.iterdir() if f"bench-{run.pid}" in one.name]
    assert not list(tmp_path.iterdir())
    assert not _session_of(run.pid)


def _session_of(leader: int) -> list[str]:
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:  # it has ended meanwhile
            continue
        fields = text.rpartition(")")[2].split()
        if int(fields[3]) == leader and fields[0] != "Z":
            members.append(text)
    return members
