"""The README is true: its commands run, in their order, and show what it says they show."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
MADE = [line for block in BLOCKS for line in block.splitlines() if line.startswith("make ")]
RUN = [block for block in BLOCKS if not block.startswith("make ")]


@pytest.fixture(scope="module")
def first_trace(follow: Callable[[str, list[str]], Any]) -> Any:
    return follow("readme", RUN)


@pytest.mark.parametrize("command", MADE)
def test_what_is_made_can_be_made(command: str) -> None:
    done = subprocess.run(
        [*command.split(), "-n"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_command_is_in_a_block_that_is_run() -> None:
    fences = re.findall(r"^```(\w*)$", README, re.MULTILINE)
    assert set(fences) <= {"sh", ""}
    assert len(fences) == 2 * len(BLOCKS)


@pytest.mark.kernel
@pytest.mark.xdist_group("readme")
class TestFirstTrace:
    """Five minutes to a first trace."""

    def test_the_container_and_the_hook_are_shown(self, first_trace: Any) -> None:
        shown = first_trace.answer("$API/pods")
        assert f'"{first_trace.name}": {{' in shown
        assert '"trace_syscalls": {' in shown
        assert '"Available": true' in shown

    def test_the_session_runs_and_counts(self, first_trace: Any) -> None:
        (running,) = json.loads(first_trace.answer("trace-session/$ID | python3")).values()
        assert running["State"] == "running"
        assert list(running["Containers"]) == [first_trace.name]
        numbers = running["Statistics"]
        assert numbers["Spans"] > 0
        assert numbers["Source"]["Lost"] == 0
        for exporter in numbers["Exporters"].values():
            outcomes = exporter["Delivered"], exporter["Dropped"], exporter["Pending"]
            assert numbers["Passed"] == sum(outcomes)

    def test_spans_can_be_read_with_plain_tools(self, first_trace: Any) -> None:
        first, *rest = first_trace.answer("head -n 1").splitlines()
        assert json.loads(first)["pod"] == first_trace.name
        assert any(line.endswith('"name":"openat"') for line in rest)
        assert json.loads(rest[-1])["error"] == "ENOENT"

    def test_the_other_file_is_what_perfetto_reads(self, first_trace: Any) -> None:
        (path,) = first_trace.folder.glob("traces/*.json")
        slices = [event for event in json.loads(path.read_text()) if event["ph"] == "X"]
        assert {"openat", "read", "close"} <= {event["name"] for event in slices}

    def test_nothing_is_left_in_the_kernel(self, first_trace: Any) -> None:
        assert first_trace.instances() == []
