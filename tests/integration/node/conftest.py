"""A real node on a loopback port, and a container of plain namespaces for it to trace."""

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

TRACEFS = Path("/sys/kernel/tracing")
BUSY = "import os\nwhile True: os.getppid()"


@define
class Node:
    """A running `tracer-node`; answers are (status, JSON). It gets `headers` with every request."""

    url: str
    name: str
    process: "subprocess.Popen[str]"
    log: Path
    client: ssl.SSLContext | None = None
    headers: Mapping[str, str] = field(factory=dict)

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        raw: bytes | None = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - the URL is ours
            self.url + path,
            data=data,
            method=method,
            headers={"Content-Type": content_type, **self.headers, **(headers or {})},
        )
        try:
            with urllib.request.urlopen(  # noqa: S310
                request, timeout=20, context=self.client
            ) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def instances(self) -> set[str]:
        """Tracefs instances that bear this node's name."""
        mine = f"_{self.name}_"
        return {one.name for one in (TRACEFS / "instances").iterdir() if mine in one.name}

    def sources(self) -> set[str]:
        """Those instances that sessions share; the other one watches containers."""
        return {name for name in self.instances() if "_watch-" not in name}

    def stop(self) -> float:
        """Send SIGTERM; return how long it took to end, in seconds."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        return time.monotonic() - began


StartNode = Callable[..., Node]


@pytest.fixture
def start_node(tmp_path: Path) -> Iterator[StartNode]:
    """Start nodes, each with a name of its own; stop what still runs at the end."""
    nodes: list[Node] = []

    def start(*flags: str, client: ssl.SSLContext | None = None) -> Node:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        name = f"test-{os.getpid()}-{port}"
        log = tmp_path / f"{name}.log"
        command = [
            *(sys.executable, "-m", "container_tracer.entrypoints.node"),
            *("--address", f"127.0.0.1:{port}", "--node-name", name),
            *("--trace-file-directory", str(tmp_path / "traces"), *flags),
        ]
        with log.open("w") as stderr:
            process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=stderr, text=True, cwd=tmp_path
            )
        scheme = "https" if client else "http"
        nodes.append(Node(f"{scheme}://127.0.0.1:{port}", name, process, log, client))
        wait_for(lambda: answers(nodes[-1]), "the node to answer")
        return nodes[-1]

    yield start
    for node in nodes:
        if node.process.poll() is None:
            node.stop()
        assert node.instances() == set()


def answers(node: Node) -> bool:
    assert node.process.poll() is None, node.log.read_text()
    try:
        return node.ask("GET", "/healthz")[0] == 200
    except urllib.error.URLError:
        return False


def wait_for(true: Callable[[], bool], what: str, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


@define
class Box:
    """Processes in a pid namespace of their own. `pid` is the first, as the host sees it."""

    pid: int
    process: "subprocess.Popen[str]"

    def pod(self, node: Node) -> str:
        """Name the pod the node takes it for, once it has seen it."""
        wait_for(lambda: bool(self._pods(node)), f"the node to see process {self.pid}", 40)
        return self._pods(node)[0]

    def _pods(self, node: Node) -> list[str]:
        return [
            str(container["Pod"])
            for pod in node.ask("GET", "/v1/pods")[1].values()
            for container in pod["Containers"].values()
            if self.pid in container["Tasks"]
        ]

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.process.wait(10)


StartBox = Callable[..., Box]


@pytest.fixture
def start_box() -> Iterator[StartBox]:
    """Start throwaway containers that run a Python program; kill them at the end."""
    boxes: list[Box] = []

    def start(program: str = BUSY) -> Box:
        command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts", "--ipc"]
        process = subprocess.Popen([*command, sys.executable, "-c", program], text=True)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        wait_for(lambda: bool(children.read_text().split()), "the container to start")
        pid = int(children.read_text().split()[0])
        wait_for(lambda: "python" in Path(f"/proc/{pid}/exe").resolve().name, "its program")
        boxes.append(Box(pid, process))
        return boxes[-1]

    yield start
    for box in boxes:
        box.end()
