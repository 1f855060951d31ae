"""svc as a program: how it starts, what it is made of, how it ends."""

import json
import socket
import subprocess
import sys
from pathlib import Path

from .conftest import StartSvc


def run(*flags: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "container_tracer.entrypoints.svc", *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_setting_that_is_wrong_is_one_line_and_exit_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for flags in (("--nodes", "worker-1"), ("--nodes=a=b:1", f"--address=127.0.0.1:{port}")):
            ended = run(*flags)
            assert (ended.returncode, ended.stdout) == (2, "")
            assert ended.stderr.count("\n") == 1


def test_without_a_node_that_can_be_asked_it_says_so(start_svc: StartSvc) -> None:
    svc = start_svc("a=127.0.0.1:1")
    assert svc.ask("GET", "/readyz").status == 200
    assert svc.ask("GET", "/v1/pods").status == 502
    assert svc.ask("GET", "/v1/pods?node=b").status == 404


def test_who_does_not_read_its_own_spans_keeps_neither_requests_nor_its_end_waiting(
    start_svc: StartSvc,
) -> None:
    flags = ("--trace-exporter=console", "--max-request-rate=0")
    svc = start_svc("a=127.0.0.1:1", flags=flags, stdout=subprocess.PIPE)
    # More than a pipe takes.
    for _ in range(300):
        assert svc.ask("POST", "/v1/trace-session", []).status == 400
    assert svc.stop() < 15
    assert "span_delivery.not_delivered_in_time" in svc.log.read_text()
    assert svc.process.stdout is not None
    with svc.process.stdout as stdout:
        span = next(one for one in map(json.loads, stdout) if one["kind"] == "server")
    assert span["name"] == "POST /v1/trace-session"
    assert span["attributes"]["http.response.status_code"] == 400


def test_it_ends_at_once_though_a_client_keeps_its_connection(start_svc: StartSvc) -> None:
    svc = start_svc("a=127.0.0.1:1")
    host, _, port = svc.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
        assert svc.stop() < 10
    assert svc.process.returncode == 0
    assert "Traceback" not in svc.log.read_text()


def test_it_does_not_load_what_only_nodes_need(start_svc: StartSvc) -> None:
    svc = start_svc("a=127.0.0.1:1")
    svc.ask("GET", "/v1/pods")
    mapped = Path(f"/proc/{svc.process.pid}/maps").read_text()
    assert [one for one in ("numpy", "grpc", "cygrpc") if one in mapped] == []
