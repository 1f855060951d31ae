"""A node shows what it does, at its own address and at that of `ZPAGES_PORT`."""

import socket

import pytest

from .conftest import Node, StartNode

pytestmark = pytest.mark.kernel


def test_a_node_shows_its_requests_and_what_they_led_to(
    start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"127.0.0.1:{listener.getsockname()[1]}"
    monkeypatch.setenv("ZPAGES_PORT", place)
    node = start_node("--trace-exporter", "zpages")
    status, made = node.ask(
        "POST",
        "/v1/trace-session",
        {"namespace": "", "trace-hook": "trace_syscalls", "run": True, "wait-for-pods": True},
    )
    assert status == 201, made
    (session,) = made.values()
    assert session["Statistics"]["Exporters"] == {}
    pages = Node(f"http://{place}", node.name, node.process, node.log)
    for one in (node, pages):
        _, answer = one.ask("GET", "/debug/tracez?name=POST%20/v1/trace-session&format=json")
        (request,) = answer["spans"]
        assert (request["kind"], request["running"], request["error"]) == ("server", False, None)
    assert pages.ask("GET", "/v1/pods")[0] == 404
