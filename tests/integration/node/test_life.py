"""The node as a program: how it starts, what it says where it cannot trace, how it ends."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import StartBox, StartNode, wait_for

pytestmark = pytest.mark.kernel


def run(*flags: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "container_tracer.entrypoints.node", *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_a_setting_that_is_wrong_is_one_line_and_exit_code_2() -> None:
    for flags in (("--nonsense",), ("--address", ":99999"), ("--procfs-path=/no/such/folder",)):
        ended = run(*flags)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr.count("\n") == 1


def test_an_address_in_use_is_one_line_and_exit_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run("--address", f"127.0.0.1:{taken.getsockname()[1]}")
    assert ended.returncode == 2
    assert "in use" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_without_tracefs_the_node_serves_and_says_what_is_missing(
    start_node: StartNode, start_box: StartBox, tmp_path: Path
) -> None:
    (tmp_path / "sys/kernel/tracing").mkdir(parents=True)
    node, box = start_node("--sysfs-path", str(tmp_path / "sys")), start_box()
    status, problem = node.ask("GET", "/readyz")
    assert status == 503
    assert "--mount-tracefs" in problem["detail"]
    hook = node.ask("GET", "/v1/trace-hooks")[1]["ftrace"]["Tracers"]["trace_syscalls"]
    assert (hook["Available"], "tracefs" in hook["Reason"]) == (False, True)
    body = {"pod": box.pod(node), "trace-hook": "trace_syscalls", "run": True}
    status, problem = node.ask("POST", "/v1/trace-session", body)
    assert status == 503
    assert "tracefs" in problem["detail"]
    assert node.ask("GET", "/v1/trace-session/all") == (200, {})


def test_a_signal_ends_sessions_completes_files_and_empties_the_kernel(
    start_node: StartNode, start_box: StartBox
) -> None:
    node, box = start_node(), start_box("import os, time\nwhile True: os.getppid(); time.sleep(0)")
    outputs = []
    for exporter in ("file:perfetto", "file:jsonl"):
        body = {
            "pod": box.pod(node),
            "trace-hook": "trace_syscalls",
            "trace-arguments": "-s getppid",
            "exporters": [exporter],
            "run": True,
        }
        made = node.ask("POST", "/v1/trace-session", body)[1]
        outputs += next(iter(made.values()))["Output"]
    wait_for(lambda: all(Path(one).stat().st_size for one in outputs), "spans in the files")
    assert node.sources()
    assert node.stop() < 5
    assert node.process.returncode == 0
    assert node.instances() == set()
    assert all(event["ph"] in "XM" for event in json.loads(Path(outputs[0]).read_text()))
    lines = Path(outputs[1]).read_text().splitlines()
    assert {json.loads(line)["name"] for line in lines} == {"getppid"}


def test_a_session_ends_by_itself_when_its_container_is_gone(
    start_node: StartNode, start_box: StartBox
) -> None:
    node, box = start_node(), start_box()
    body = {"pod": box.pod(node), "trace-hook": "trace_syscalls", "exporters": [], "run": True}
    session = next(iter(node.ask("POST", "/v1/trace-session", body)[1]))
    box.end()
    path = f"/v1/trace-session/{session}"
    wait_for(lambda: node.ask("GET", path)[1][session]["State"] == "stopped", "its end")
    assert "gone" in node.ask("GET", path)[1][session]["Reason"]
    wait_for(lambda: not node.sources(), "the instance to go")
