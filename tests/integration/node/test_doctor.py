"""The doctor asks a server, and tells what that says instead of what this machine is."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import StartNode

pytestmark = pytest.mark.kernel

DOCTOR = (sys.executable, "-m", "container_tracer.entrypoints.cli", "doctor", "-o", "json")


def doctor(url: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Run it; return the exit code and findings by subject."""
    done = subprocess.run(
        [*DOCTOR, "--server", url], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    return done.returncode, {one["Subject"]: one for one in json.loads(done.stdout)["Findings"]}


def test_a_server_that_can_trace_is_fine(start_node: StartNode) -> None:
    node = start_node()
    code, findings = doctor(node.url)
    assert code == 0
    assert findings["server"]["What"] == f"{node.url} answers, and is ready to trace."
    assert findings["version"]["Verdict"] == "ok"
    assert findings["hook trace_syscalls"]["Verdict"] == "ok"
    assert findings["sessions"]["What"] == "Sessions: none."


def test_a_server_that_cannot_trace_says_why(start_node: StartNode, tmp_path: Path) -> None:
    (tmp_path / "sys/kernel/tracing").mkdir(parents=True)
    node = start_node("--sysfs-path", str(tmp_path / "sys"))
    code, findings = doctor(node.url)
    assert code == 1
    assert findings["server"]["Verdict"] == "problem"
    assert "tracefs is not mounted" in findings["server"]["What"]
    assert "tracefs is not mounted" in findings["hook trace_syscalls"]["What"]
