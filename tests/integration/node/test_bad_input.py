"""Whatever a client sends, it gets a sentence to act on, and running sessions are undisturbed."""

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import define

from .conftest import Node, StartBox, StartNode, wait_for

pytestmark = pytest.mark.kernel

SESSIONS = "/v1/trace-session"

NOT_THE_HOOKS = (
    "--pid 1",
    "--pids=1",
    "-p 1",
    "--instance other",
    "--instance=../../events",
    "1",
    "-s read -- --pid 1",
    "/sys/kernel/tracing",
    "-s 'read",
    "-s no_such_call",
    "-t soon",
    "--min-duration -5",
)


@define
class Scene:
    """A node with one session that traces a busy container."""

    node: Node
    pod: str
    session: str

    def statistics(self) -> dict[str, Any]:
        answer = self.node.ask("GET", f"{SESSIONS}/{self.session}")[1][self.session]
        assert answer["State"] == "running"
        statistics: dict[str, Any] = answer["Statistics"]
        return statistics


@pytest.fixture
def scene(start_node: StartNode, start_box: StartBox) -> Iterator[Scene]:
    """Check around a test that the running session goes on, alone, and accounts for all."""
    node, box = start_node(), start_box()
    pod = box.pod(node)
    body = {"pod": pod, "trace-hook": "trace_syscalls", "run": True, "exporters": []}
    status, made = node.ask("POST", SESSIONS, body)
    assert status == 201, made
    one = Scene(node, pod, next(iter(made)))
    before = one.statistics()["Attributed"]
    assert len(node.sources()) == 1
    yield one
    assert len(node.sources()) == 1
    assert list(node.ask("GET", f"{SESSIONS}/all")[1]) == [one.session]
    wait_for(lambda: one.statistics()["Attributed"] > before, "more events")
    source = one.statistics()["Source"]
    parts = ("Attributed", "Unattributed", "Lost", "Malformed", "Pending")
    assert source["Recorded"] == sum(source[part] for part in parts)


def refused(answer: tuple[int, Any], status: int, *words: str) -> None:
    assert answer[0] == status, answer
    assert answer[1]["status"] == status
    for word in words:
        assert word in answer[1]["detail"]


def test_what_cannot_be_asked_for_is_refused_with_its_reason(scene: Scene) -> None:
    good = {"pod": scene.pod, "trace-hook": "trace_syscalls", "run": True}

    def post(**changes: object) -> tuple[int, Any]:
        keys = {key.replace("_", "-"): value for key, value in changes.items()}
        return scene.node.ask("POST", SESSIONS, {**good, **keys})

    refused(post(trace_hook="trace_dreams"), 404, "trace_dreams", "trace_syscalls")
    refused(post(pod="web-[0"), 400, "web-[0")
    refused(post(pod="no-such-pod-*"), 404, "no-such-pod-*", "/v1/pods")
    refused(post(exporters=["carrier-pigeon"]), 400, "carrier-pigeon", "console")
    refused(post(pod=7), 400, "pod")
    refused(post(labels="app=web,tier is front"), 400, "character 14", "'notin'")
    refused(post(vmm="yes"), 400, "vmm")
    refused(scene.node.ask("GET", "/v1/pods?labels=app%3D%3D%3D"), 400, "character 6")
    refused(scene.node.ask("GET", "/v1/pods?pod=web-[0"), 400, "web-[0")
    refused(scene.node.ask("GET", "/v1/pods?pods=web"), 400, "'pods'", "namespace, labels")
    refused(post(run="yes"), 400, "run")
    refused(post(surprise=1), 400, "surprise")
    refused(post(duration="-1s"), 400, "duration")
    refused(post(wait_for_pods="yes"), 400, "wait-for-pods")


def test_arguments_that_are_not_the_hooks_are_refused(scene: Scene) -> None:
    body = {"pod": scene.pod, "trace-hook": "trace_syscalls", "run": True}
    for arguments in NOT_THE_HOOKS:
        refused(scene.node.ask("POST", SESSIONS, {**body, "trace-arguments": arguments}), 422)


def test_bodies_that_are_no_json_objects_are_refused(scene: Scene) -> None:
    ask = scene.node.ask
    refused(ask("POST", SESSIONS, raw=b'{"pod": '), 400)
    refused(ask("POST", SESSIONS, raw=b"[]"), 400)
    refused(ask("POST", SESSIONS, raw=b"\xff\xfe"), 400)
    refused(ask("POST", SESSIONS, raw=b"["), 400)
    refused(ask("POST", SESSIONS, raw=b"\x00garbage" * 131072), 413)
    refused(ask("POST", SESSIONS, raw=b"<pod/>", content_type="text/xml"), 415)
    refused(ask("PUT", f"{SESSIONS}/{scene.session}", {"run": 1}), 400)


def test_sessions_that_are_not_there_are_not_found(scene: Scene) -> None:
    for unknown in ("1", "18446744073709551616", "-1", "nonsense", "..%2f..%2fetc"):
        refused(scene.node.ask("GET", f"{SESSIONS}/{unknown}"), 404)
        refused(scene.node.ask("PUT", f"{SESSIONS}/{unknown}", {"run": True}), 404)
        refused(scene.node.ask("DELETE", f"{SESSIONS}/{unknown}"), 404)


def test_start_twice_is_fine_and_delete_twice_is_not_found(scene: Scene) -> None:
    ask = scene.node.ask
    body = {"pod": scene.pod, "trace-hook": "trace_syscalls", "exporters": []}
    other = f"{SESSIONS}/{next(iter(ask('POST', SESSIONS, body)[1]))}"
    assert [ask("PUT", other, {"run": True}) for _ in range(2)] == [(200, {})] * 2
    assert [ask("PUT", other, {"Run": False}) for _ in range(2)] == [(200, {})] * 2
    assert ask("DELETE", other) == (200, {})
    refused(ask("DELETE", other), 404)
