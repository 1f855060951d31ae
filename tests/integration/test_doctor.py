"""The doctor on a real machine: as root, as nobody, and where tracefs is not mounted."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

INSTANCES = Path("/sys/kernel/tracing/instances")
DOCTOR = (sys.executable, "-m", "container_tracer.entrypoints.cli", "doctor", "-o", "json")
AS_NOBODY = """
import concurrent.futures.thread  # loaded late by asyncio, when nobody may not read it any more
import os, sys
from container_tracer.entrypoints.cli.__main__ import main
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
sys.argv = ["container-tracer", "doctor", "-o", "json"]
main()
"""
WITHOUT_TRACEFS = (
    'mount -t tmpfs none /sys/kernel/tracing && mount -t tmpfs none /sys/kernel/debug && exec "$@"'
)

pytestmark = pytest.mark.kernel


def doctor(identity: str, *command: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Run it; return the exit code and findings by subject."""
    done = subprocess.run(
        command,
        env={**os.environ, "TRACER_NODE_NAME": identity},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert document["Possible"] is (done.returncode == 0)
    assert [one.name for one in INSTANCES.iterdir() if identity in one.name] == []
    return done.returncode, {one["Subject"]: one for one in document["Findings"]}


def test_root_learns_that_tracing_is_possible_and_what_it_costs(identity: str) -> None:
    code, findings = doctor(identity, *DOCTOR)
    assert code == 0
    assert findings["tracefs"]["Verdict"] == "ok"
    assert findings["hook trace_syscalls"]["Verdict"] == "ok"
    assert "getppid" in findings["bystanders"]["Why"]
    assert os.uname().release in findings["kernel"]["What"]


def test_nobody_learns_what_could_not_be_looked_at(identity: str) -> None:
    code, findings = doctor(identity, sys.executable, "-c", AS_NOBODY)
    assert code == 1
    assert findings["user"]["Verdict"] == "problem"
    assert "65534" in findings["user"]["What"]
    assert "may not be looked into" in findings["tracefs"]["What"]
    assert "not found out: trace_syscalls" in findings["hooks"]["What"]
    assert "not measured" in findings["bystanders"]["What"]
    assert "events" not in findings


def test_without_tracefs_it_names_the_command_that_mounts_it(identity: str) -> None:
    if not shutil.which("unshare"):
        pytest.skip("not installed here: unshare")
    command = ("unshare", "-m", "sh", "-c", WITHOUT_TRACEFS, "sh", *DOCTOR)
    code, findings = doctor(identity, *command)
    assert code == 1
    assert findings["tracefs"]["Verdict"] == "problem"
    assert findings["tracefs"]["Mend"] == "mount -t tracefs nodev /sys/kernel/tracing"
    assert findings["user"]["Verdict"] == "ok"


def test_somebody_elses_recording_is_told(identity: str) -> None:
    foreign = INSTANCES / f"foreign-{os.getpid()}"
    foreign.mkdir()
    try:
        (foreign / "set_event").write_text("sched:sched_process_exit")
        done = subprocess.run(
            [*DOCTOR, "--no-measure"], capture_output=True, text=True, timeout=60, check=True
        )
        told = [
            one["What"]
            for one in json.loads(done.stdout)["Findings"]
            if foreign.name in one["What"]
        ]
        assert told == [f"The instance {foreign.name} has 1 event on (sched)."]
    finally:
        foreign.rmdir()
    assert identity not in told
