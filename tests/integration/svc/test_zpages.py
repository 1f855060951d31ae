"""A program that runs shows what it does, to browsers and programs, at both addresses."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from email.message import Message
from typing import Any

import pytest

from .conftest import StartSvc, free_port

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PROGRAM = {"Accept": "application/json"}


def got(url: str, headers: Mapping[str, str]) -> tuple[Message, str]:
    request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310 - the URL is ours
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        return answer.headers, answer.read().decode()


def shown(url: str) -> Any:
    return json.loads(got(url, PROGRAM)[1])


def test_both_addresses_show_the_requests_of_svc_and_of_its_own(
    start_svc: StartSvc, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("ZPAGES_PORT", f"localhost:{port}")
    svc = start_svc("a=127.0.0.1:1")
    assert svc.ask("GET", "/v1/pods").status == 502
    for url in (svc.url, f"http://127.0.0.1:{port}"):
        calls = shown(f"{url}/debug/rpcz?name=GET%20/v1/pods")
        (answered,) = calls["server"]
        total = answered["windows"]["total"]
        assert (total["count"], total["errors"]) == (1, 1)
        headers, page = got(f"{url}/debug/tracez?name=GET%20/v1/pods", BROWSER)
        assert headers.get_content_type() == "text/html"
        assert "GET /v1/pods" in page
        assert "default-src 'none'" in headers["Content-Security-Policy"]
    (failed,) = shown(f"{svc.url}/debug/tracez?name=GET%20/v1/pods&error=502")["spans"]
    trace = shown(f"{svc.url}/debug/tracez?trace_id={failed['trace_id']}")["spans"]
    assert {one["kind"] for one in trace} == {"server", "client"}
    assert {one["parent_span_id"] for one in trace[1:]} == {failed["span_id"]}
    (itself,) = shown(f"{svc.url}/debug/tracez?running=true")["spans"]
    assert itself["name"] == "GET /debug/tracez"
    assert "zpages.open" not in svc.log.read_text()
    assert svc.stop() < 10
    assert svc.process.returncode == 0


def test_an_address_that_is_taken_is_one_line_and_nothing_is_started(start_svc: StartSvc) -> None:
    taken = start_svc("a=127.0.0.1:1").url.rpartition(":")[2]
    command = [
        *(sys.executable, "-m", "container_tracer.entrypoints.svc"),
        *("--address", f"127.0.0.1:{free_port()}", "--nodes", "a=127.0.0.1:1"),
    ]
    environment = {**os.environ, "ZPAGES_PORT": taken}
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"tracer-svc: ZPAGES_PORT: cannot listen on 127.0.0.1:{taken}: address")
