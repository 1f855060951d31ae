"""The README is true: its commands run, in their order, and show what it says they show."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(?:sh|console)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
MADE = [line for block in BLOCKS for line in block.splitlines() if line.startswith("make ")]
RUN = [block for block in BLOCKS if not block.startswith("make ")]
INSTANCES = Path("/sys/kernel/tracing/instances")
MARK = "----- block {} -----"


def missing() -> str:
    if os.geteuid() != 0:
        return "tracing the kernel needs root"
    if not INSTANCES.is_dir():
        return "tracefs is not mounted at /sys/kernel/tracing"
    lacking = [name for name in ("bash", "curl", "unshare") if not shutil.which(name)]
    return f"not installed here: {', '.join(lacking)}" if lacking else ""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@frozen
class Session:
    """What a person following the README saw, block by block, and has in the end."""

    folder: Path
    shown: list[str]
    node: str

    def answer(self, of: str) -> str:
        """Return what the block with this command in it printed."""
        (index,) = [number for number, block in enumerate(RUN) if of in block]
        return self.shown[index]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("readme")
    (folder / ".venv").symlink_to(ROOT / ".venv")
    port, name = free_port(), f"readme-{os.getpid()}"
    marked = (f"echo '{MARK.format(number)}'\n{block}" for number, block in enumerate(RUN))
    script = "\n".join(["set -eu", *marked]).replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    script = re.sub(r"\bshop\b", name, script) + "wait\n"
    process = subprocess.Popen(
        ["bash", "-c", script],
        cwd=folder,
        env={**os.environ, "TRACER_NODE_NAME": name},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=60)
    finally:
        end_session(process.pid)
        process.wait()
    log = folder / "node.log"
    assert process.returncode == 0, output + (log.read_text() if log.exists() else "")
    shown = re.split(MARK.format(r"\d+") + "\n", output)[1:]
    yield Session(folder, shown, name)
    shutil.rmtree(folder)


def end_session(leader: int) -> None:
    """End what a README that fails half-way has started: all processes of its session."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader:
            os.kill(int(stat.parent.name), signal.SIGKILL)


kernel = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.xdist_group("readme"),
]


@pytest.mark.parametrize("command", MADE)
def test_what_is_made_can_be_made(command: str) -> None:
    done = subprocess.run(
        [*command.split(), "-n"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_command_is_a_plain_block() -> None:
    """Other kinds of blocks would not be run by these tests."""
    fences = re.findall(r"^```(\w*)$", README, re.MULTILINE)
    assert set(fences) <= {"sh", "console", ""}
    assert len(fences) == 2 * len(BLOCKS)


class TestFirstTrace:
    """Five minutes to a first trace."""

    pytestmark = kernel

    def test_the_container_and_the_hook_are_shown(self, session: Session) -> None:
        shown = session.answer("$API/pods")
        assert f'"{session.node}": {{' in shown
        assert '"trace_syscalls": {' in shown
        assert '"Available": true' in shown

    def test_the_session_runs_and_counts(self, session: Session) -> None:
        (running,) = json.loads(session.answer("trace-session/$ID | python3")).values()
        assert running["State"] == "running"
        assert list(running["Containers"]) == [session.node]
        numbers = running["Statistics"]
        assert numbers["Spans"] > 0
        assert numbers["Source"]["Lost"] == 0
        for exporter in numbers["Exporters"].values():
            outcomes = exporter["Delivered"], exporter["Dropped"], exporter["Pending"]
            assert numbers["Passed"] == sum(outcomes)

    def test_spans_can_be_read_with_plain_tools(self, session: Session) -> None:
        first, *rest = session.answer("head -n 1").splitlines()
        assert json.loads(first)["pod"] == session.node
        assert any(line.endswith('"name":"openat"') for line in rest)
        assert json.loads(rest[-1])["error"] == "ENOENT"

    def test_the_other_file_is_what_perfetto_reads(self, session: Session) -> None:
        (path,) = session.folder.glob("traces/*.json")
        slices = [event for event in json.loads(path.read_text()) if event["ph"] == "X"]
        assert {"openat", "read", "close"} <= {event["name"] for event in slices}

    def test_nothing_is_left_in_the_kernel(self, session: Session) -> None:
        assert [one.name for one in INSTANCES.iterdir() if session.node in one.name] == []
