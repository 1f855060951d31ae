"""A node that was killed leaves instances; the next run of the same node removes just those."""

import signal
from pathlib import Path

import pytest

from .conftest import StartBox, StartNode, wait_for

pytestmark = pytest.mark.kernel

INSTANCES = Path("/sys/kernel/tracing/instances")
CALM = "import os, time\nwhile True: os.getppid(); time.sleep(0.01)"


def test_the_next_start_removes_what_a_killed_node_left_and_nothing_else(
    start_node: StartNode, start_box: StartBox
) -> None:
    killed, other, box = start_node(), start_node(), start_box(CALM)
    for node in (killed, other):
        body = {"pod": box.pod(node), "trace-hook": "trace_syscalls", "exporters": [], "run": True}
        assert node.ask("POST", "/v1/trace-session", body)[0] == 201
    foreign = INSTANCES / f"foreign-{killed.process.pid}"
    foreign.mkdir()
    try:
        killed.process.send_signal(signal.SIGKILL)
        killed.process.wait(10)
        left = killed.instances()
        assert len(left) == 2
        next_run = start_node("--node-name", killed.name)
        assert len(killed.instances() - left) == 1
        assert not killed.instances() & left
        assert len(other.instances()) == 2
        assert foreign.is_dir()
        body = {"pod": box.pod(next_run), "trace-hook": "trace_syscalls", "exporters": []}
        assert next_run.ask("POST", "/v1/trace-session", {**body, "run": True})[0] == 201
        wait_for(lambda: len(killed.sources()) == 1, "the new run's instance")
        assert not killed.instances() & left
        next_run.stop()
        assert killed.instances() == set()
    finally:
        foreign.rmdir()
