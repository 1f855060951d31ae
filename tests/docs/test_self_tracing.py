"""The page on self-tracing is true: its numbers are the program's, its command does as it says."""

import asyncio
import json
import os
import re
from pathlib import Path

import pytest

from container_tracer.domain.services.drain_spans import SLOW_NS
from container_tracer.domain.services.own_spans import OwnSpans
from container_tracer.domain.services.sparing import EVERY_SECONDS
from container_tracer.entrypoints.rest.gate import Gate
from container_tracer.entrypoints.rest.tracing import API, TOLD
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.single_span_exporter import FakeSingleSpanExporter
from tests.unit.entrypoints.conftest import node_behind

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/self-tracing.md").read_text()
(SCRIPT,) = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
(LINE,) = re.findall(r"^```json\n(.*?)\n```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    "said",
    [
        f"one in {EVERY_SECONDS:.0f} s is exported",
        f"took {SLOW_NS / 1e9:.1f} s",
        f"Requests for anything but `{API}` are not exported",
        ", ".join(f"`.{name}`" for name in ("session", "hook")),
    ],
)
def test_what_it_says_is_so(said: str) -> None:
    assert said in PAGE


def test_it_names_all_that_a_request_tells_of_sessions() -> None:
    (row,) = [one for one in PAGE.splitlines() if "`GET /v1/pods`" in one]
    assert set(re.findall(r"`\.(\w+)`", row)) == set(TOLD)


async def test_what_a_script_does_is_in_the_trace_that_its_environment_names() -> None:
    exporter = FakeSingleSpanExporter()
    spans = OwnSpans(clock=FakeClock(), exporters=[exporter])
    await spans.start()
    async with node_behind(Gate(), spans) as node:
        process = await asyncio.create_subprocess_exec(
            *("bash", "-euc", SCRIPT.replace("127.0.0.1:8080", f"127.0.0.1:{node.port}")),
            env={**os.environ, "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}"},
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            output, _ = await process.communicate()
    await spans.close()
    assert (process.returncode, b"shop" in output) == (0, True)
    named = re.findall(r"TRACEPARENT=00-(\w+)-(\w+)-01", SCRIPT)
    assert [(one.trace_id.hex(), one.parent_span_id.hex()) for one in exporter.spans] == named


def test_a_line_of_the_log_is_one() -> None:
    line = json.loads(LINE)
    assert (len(line["trace_id"]), len(line["span_id"])) == (32, 16)
