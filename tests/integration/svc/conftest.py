"""A real svc on a loopback port, in front of real nodes."""

import asyncio
import json
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from attrs import define, frozen

from tests.integration.node.conftest import Node, start_box, start_node, wait_for

from .rough_nodes import Manners, RoughNode, StartRough

__all__ = ["start_box", "start_node", "start_svc"]


@frozen
class Answer:
    """What came back; `node_errors` is what its header says of nodes.

    Names of headers are matched without regard to case.
    """

    status: int
    headers: Message
    json: Any

    @property
    def node_errors(self) -> Any:
        return json.loads(self.headers.get("X-Tracer-Node-Errors", "[]"))

    @property
    def failed(self) -> dict[str, str]:
        """The nodes that failed, and what is said of each."""
        return {one["node"]: one["detail"] for one in self.node_errors}


@define
class Svc:
    """A running `tracer-svc`."""

    url: str
    process: "subprocess.Popen[bytes]"
    log: Path
    client: ssl.SSLContext | None = None

    def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        declared = {"Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(  # noqa: S310 - the URL is ours
            self.url + path, data=data, method=method, headers=declared
        )
        try:
            with urllib.request.urlopen(  # noqa: S310
                request, timeout=30, context=self.client
            ) as answer:
                return Answer(answer.status, answer.headers, json.load(answer))
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, json.load(error))

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.ask("GET", "/healthz").status == 200
        except urllib.error.URLError:
            return False

    async def asked(self, path: str) -> Answer:
        """Get a path while others of this test have their turn."""
        return await asyncio.to_thread(self.ask, "GET", path)

    def resident_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = [one for one in status.splitlines() if one.startswith("VmRSS")]
        return int(line.split()[1]) / 1024

    def stop(self) -> float:
        """Send SIGTERM; return how long it took to end, in seconds."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        return time.monotonic() - began


StartSvc = Callable[..., Svc]


@pytest.fixture
def start_svc(tmp_path: Path) -> Iterator[StartSvc]:
    """Start tracer-svc for nodes, or for `NAME=HOST:PORT` texts; stop it at the end."""
    running: list[Svc] = []

    def start(
        *nodes: Node | str,
        flags: tuple[str, ...] = (),
        client: ssl.SSLContext | None = None,
        stdout: int = subprocess.DEVNULL,
    ) -> Svc:
        port = free_port()
        named = ",".join(one if isinstance(one, str) else place_of(one) for one in nodes)
        log = tmp_path / f"svc-{port}.log"
        command = [
            *(sys.executable, "-m", "container_tracer.entrypoints.svc"),
            *("--address", f"127.0.0.1:{port}", *(("--nodes", named) if named else ()), *flags),
        ]
        with log.open("w") as stderr:
            process = subprocess.Popen(command, stdout=stdout, stderr=stderr, cwd=tmp_path)
        scheme = "https" if client else "http"
        running.append(Svc(f"{scheme}://127.0.0.1:{port}", process, log, client))
        wait_for(running[-1].answers, "svc to answer")
        return running[-1]

    yield start
    for svc in running:
        if svc.process.poll() is None:
            svc.stop()


def place_of(node: Node) -> str:
    """Write a node as `--nodes` takes it."""
    return f"{node.name}={node.url.partition('//')[2]}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
async def start_rough() -> AsyncIterator[StartRough]:
    """Start nodes that are none."""
    servers: list[tuple[asyncio.Server, RoughNode]] = []

    async def start(manners: Manners, host: str = "127.0.0.1") -> RoughNode:
        node = RoughNode(manners)
        server = await asyncio.start_server(node.serve, host, 0)
        node.where = "{}:{}".format(*server.sockets[0].getsockname())
        servers.append((server, node))
        return node

    yield start
    for server, node in servers:
        server.close()
        await node.stop()
