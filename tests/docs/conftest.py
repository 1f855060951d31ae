"""Documents, and running their commands for real, one after the other, as a person would."""

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import frozen

ROOT = Path(__file__).parents[2]
INSTANCES = Path("/sys/kernel/tracing/instances")
MARK = "----- block {} -----"


@frozen
class Followed:
    """What a person saw who followed a page, block by block, and has in the end."""

    folder: Path
    blocks: list[str]
    shown: list[str]
    name: str

    def answer(self, of: str) -> str:
        """Return what the block with this command in it printed."""
        (index,) = [number for number, block in enumerate(self.blocks) if of in block]
        return self.shown[index]

    def instances(self) -> list[str]:
        """Return what is left of it in the kernel."""
        return [one.name for one in INSTANCES.iterdir() if self.name in one.name]


def _missing() -> str:
    if os.geteuid() != 0:
        return "tracing the kernel needs root"
    if not INSTANCES.is_dir():
        return "tracefs is not mounted at /sys/kernel/tracing"
    lacking = [name for name in ("bash", "curl", "unshare") if not shutil.which(name)]
    return f"not installed here: {', '.join(lacking)}" if lacking else ""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _end_session(leader: int) -> None:
    """End what a page that fails half-way has started: all processes of its session."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader:
                os.kill(int(stat.parent.name), signal.SIGKILL)
        except OSError:  # it has ended meanwhile
            continue


def _follow(blocks: list[str], folder: Path, name: str) -> Followed:
    (folder / ".venv").symlink_to(ROOT / ".venv")
    marked = (f"echo '{MARK.format(number)}'\n{block}" for number, block in enumerate(blocks))
    script = "\n".join(["set -eu", *marked, "wait"])
    script = script.replace("127.0.0.1:8080", f"127.0.0.1:{_free_port()}")
    script = script.replace('"sh*"', f'"{name}*"')  # shop, but nobody else's
    process = subprocess.Popen(
        ["bash", "-c", re.sub(r"\bshop\b", name, script)],
        cwd=folder,
        env={**os.environ, "TRACER_NODE_NAME": name},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=120)
    finally:
        _end_session(process.pid)
        process.wait()
    log = folder / "node.log"
    assert process.returncode == 0, output + (log.read_text() if log.exists() else "")
    shown = re.split(f"{MARK.format('[0-9]+')}\n", output)[1:]
    return Followed(folder, blocks, shown, name)


@pytest.fixture(scope="module")
def follow(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str, list[str]], Followed]]:
    """Run blocks of commands in order, in a folder of their own, on a port of their own."""
    if reason := _missing():
        pytest.skip(reason)
    folders = []

    def run(name: str, blocks: list[str]) -> Followed:
        folders.append(tmp_path_factory.mktemp(name))
        return _follow(blocks, folders[-1], f"{name}-{os.getpid()}")

    yield run
    for folder in folders:
        shutil.rmtree(folder)
