"""The client as a program, against containers of plain namespaces and the real kernel."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from attrs import define, field

INSTANCES = Path("/sys/kernel/tracing/instances")
CALM = "import os, time\nwhile True: os.getppid(); time.sleep(0.02)"
CLIENT = (sys.executable, "-P", "-m", "container_tracer.entrypoints.cli")


def wait_for(true: Callable[[], Any], what: str, seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
    return found


@define
class Box:
    """A container called `name`, of one busy process whose pid is that of the host."""

    name: str
    pid: int
    process: "subprocess.Popen[str]"

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.process.wait(10)


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    one = start_box(f"cli-{os.getpid()}")
    yield one
    one.end()


@pytest.fixture
def late_box() -> Iterator[Callable[[str], Box]]:
    """Start a container when a test wants it."""
    started: list[Box] = []

    def start(name: str) -> Box:
        started.append(start_box(name))
        return started[-1]

    yield start
    for one in started:
        one.end()


def start_box(name: str) -> Box:
    # Twice, so that it is the inner one that has its own names, and becomes the program.
    outer = ["unshare", "--pid", "--fork", "--kill-child"]
    command = [*outer, "unshare", "--uts", "--ipc", "--mount-proc"]
    environ = {**os.environ, "HOSTNAME": name}
    process = subprocess.Popen([*command, sys.executable, "-c", CALM], text=True, env=environ)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    pid = int(wait_for(children.read_text, "the container").split()[0])
    wait_for(lambda: "python" in Path(f"/proc/{pid}/exe").resolve().name, "its program")
    return Box(name, pid, process)


@define
class Private:
    """What commands without a server have in the kernel and on disk: a host name's, a folder's.

    Each test has its own host name, so that tests side by side tell their own from others'.
    """

    folder: Path
    host: str = field(factory=lambda: f"{socket.gethostname()}-local")

    def start(self, *argv: str, **how: Any) -> "subprocess.Popen[str]":
        environ = {**os.environ, "TMPDIR": str(self.folder), **how.pop("environ", {})}
        return subprocess.Popen([*CLIENT, *argv], text=True, env=environ, **how)

    def run(self, *argv: str, **how: Any) -> "subprocess.CompletedProcess[str]":
        environ = {**os.environ, "TMPDIR": str(self.folder), **how.pop("environ", {})}
        return subprocess.run(
            [*CLIENT, *argv],
            text=True,
            env=environ,
            capture_output=True,
            timeout=60,
            check=False,
            **how,
        )

    def child(self) -> int:
        """Return the pid of the private node, which has our folder in its command line."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = path.read_bytes().split(b"\0")
                ours = any(str(self.folder).encode() in word for word in words)
                if ours and any(word.endswith(b".attached_node") for word in words):
                    return int(path.parent.name)
        return 0

    def instances(self) -> set[str]:
        """Name the instances of the private node that is alive, by who holds them open."""
        found = set()
        for link in Path(f"/proc/{self.child()}/fd").glob("*"):
            with contextlib.suppress(OSError):
                target = link.readlink()
                if INSTANCES in target.parents:
                    found.add(target.relative_to(INSTANCES).parts[0])
        return found

    def left(self) -> list[str]:
        """Name what is left in the folder for temporary files."""
        return [one.name for one in self.folder.iterdir()]


@pytest.fixture
def private() -> Iterator[Private]:
    with tempfile.TemporaryDirectory(prefix="cli-") as folder:
        yield Private(Path(folder))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A node that stays; returns its URL."""
    folder = tmp_path_factory.mktemp("server")
    name = f"cli-server-{os.getpid()}"
    address = f"unix:{folder}/socket"
    command = [sys.executable, "-m", "container_tracer.entrypoints.node", "--node-name", name]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--address", address, "--trace-file-directory", str(folder / "traces")],
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    wait_for((folder / "socket").exists, "the node to listen")
    yield address
    process.terminate()
    assert process.wait(20) == 0
    assert not [one.name for one in INSTANCES.iterdir() if name in one.name]


@define
class Screen:
    """What a program drew on a terminal, and how it ended."""

    shown: str
    code: int


OnTerminal: TypeAlias = Callable[..., Screen]


@pytest.fixture
def on_terminal(private: Private, server: str) -> OnTerminal:
    """Run the client on a terminal of so many columns; optionally Ctrl-C after a text was shown."""

    def run(*argv: str, columns: int, until: str = "", **environ: str) -> Screen:
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        process = private.start(
            *argv,
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
            environ={
                "TERM": "xterm-256color",
                "CONTAINER_TRACER_SERVER": server,
                **environ,
            },
        )
        os.close(follower)
        shown = _read_all(leader, until, process)
        os.close(leader)
        return Screen(shown, process.wait(20))

    return run


def _read_all(leader: int, until: str, process: "subprocess.Popen[str]") -> str:
    shown = b""
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        if not select.select([leader], [], [], 0.2)[0]:
            continue
        try:
            data = os.read(leader, 65536)
        except OSError:  # the other end is closed
            break
        shown += data
        if until and until.encode() in shown:
            process.send_signal(signal.SIGINT)
            until = ""
    return shown.decode()
