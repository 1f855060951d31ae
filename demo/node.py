"""Starting `tracer-node`, and talking to it as any client would."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from attrs import frozen

Json: TypeAlias = dict[str, Any]


@frozen
class Client:
    """Speaks REST to a node."""

    url: str

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        """Send a request; a problem becomes `SystemExit` with its text."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - the URL is ours
            self.url + path, data=data, method=method, headers={"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                parsed: Json = json.load(answer)
                return parsed
        except urllib.error.HTTPError as error:
            problem = json.load(error)
            raise SystemExit(f"demo: {method} {path}: {problem.get('detail', error)}") from error


@contextmanager
def running_node(name: str, traces: Path) -> Iterator[Client]:
    """Start a node on a free loopback port; stop it as an orchestrator would."""
    port = _free_port()
    command = [
        *(sys.executable, "-m", "container_tracer.entrypoints.node"),
        *("--address", f"127.0.0.1:{port}", "--node-name", name, "--mount-tracefs"),
        *("--trace-file-directory", str(traces)),
    ]
    log = (traces / "tracer-node.log").open("w")
    with log, subprocess.Popen(command, stderr=log) as process:
        client = Client(f"http://127.0.0.1:{port}")
        try:
            _wait_until_ready(client, process, traces / "tracer-node.log")
            yield client
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_until_ready(client: Client, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise SystemExit(f"demo: tracer-node ended at once:\n{log.read_text()}")
        try:
            client.call("GET", "/readyz")
        except urllib.error.URLError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("demo: tracer-node does not answer")
