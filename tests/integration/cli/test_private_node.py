"""Commands without a server: whatever ends them, nothing of theirs is left."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import INSTANCES, Box, Private, wait_for

pytestmark = pytest.mark.kernel

ONLY = ("--", "-s", "getppid")


def test_pods_and_hooks_are_listed_and_nothing_is_left(private: Private, box: Box) -> None:
    listed = private.run("pods", "-o", "json")
    assert listed.returncode == 0, listed.stderr
    containers = json.loads(listed.stdout)[box.name]["Containers"].values()
    assert any(box.pid in one["Tasks"] for one in containers)
    assert "trace_syscalls" in private.run("hooks").stdout
    assert private.left() == []
    assert private.child() == 0


def test_a_trace_ends_by_itself_and_shows_exactly_what_was_asked_for(
    private: Private, box: Box
) -> None:
    ran = private.run(
        "trace", box.name, "trace_syscalls", "--max-events", "20", "-o", "json", *ONLY
    )
    assert ran.returncode == 0, ran.stderr
    *spans, end = map(json.loads, ran.stdout.splitlines())
    assert len(spans) == 20
    assert {(one["name"], one["pid"]) for one in spans} == {("getppid", box.pid)}
    assert end["stream"] == "end"
    assert end["statistics"]["Source"]["Lost"] == 0
    assert "20 spans shown" in ran.stderr
    assert private.left() == []


def start_trace(private: Private, box: Box, *flags: str) -> "subprocess.Popen[str]":
    """Start a trace, and wait until it shows spans."""
    process = private.start(
        "trace",
        box.name,
        "trace_syscalls",
        *flags,
        *ONLY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert "TIME" in process.stdout.readline()
    assert "getppid()" in process.stdout.readline()
    return process


def test_a_trace_waits_for_a_container_and_for_the_next_one(
    private: Private, late_box: Callable[[str], Box]
) -> None:
    name = f"late-{os.getpid()}"
    process = private.start(
        *("trace", name, "trace_syscalls", "--wait", "-o", "json", *ONLY),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert f"Waiting for pods that match pod '{name}'" in process.stderr.readline()
    for _ in range(2):
        box = late_box(name)
        joined, span = (json.loads(process.stdout.readline()) for _ in range(2))
        assert (joined["change"], joined["pod"], joined["containers"]) == ("joined", name, 1)
        assert (span["name"], span["pid"]) == ("getppid", box.pid)
        box.end()
        ended = until_change(process)
        assert (ended["change"], ended["containers"]) == ("ended", 0)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert private.left() == []


def until_change(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Read on until a container joins or ends."""
    assert process.stdout is not None
    while True:
        one: dict[str, Any] = json.loads(process.stdout.readline())
        if one.get("stream") == "container":
            return one


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_good_order(private: Private, box: Box, number: int) -> None:
    process = start_trace(private, box)
    instances = private.instances()
    assert len(instances) == 2
    process.send_signal(number)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert "Ended: you asked for it." in told
    assert not any((INSTANCES / one).exists() for one in instances)
    assert private.left() == []
    assert private.child() == 0


def test_a_killed_client_takes_its_node_along_in_good_order(private: Private, box: Box) -> None:
    process = start_trace(private, box)
    instances = private.instances()
    assert len(instances) == 2
    process.kill()
    process.communicate(timeout=20)
    wait_for(lambda: not private.child(), "the node to end")
    assert not any((INSTANCES / one).exists() for one in instances)
    assert private.left() == []


def test_a_killed_node_is_said_and_the_next_start_clears_its_leftovers(
    private: Private, box: Box
) -> None:
    process = start_trace(private, box)
    instances = private.instances()
    assert len(instances) == 2
    os.kill(private.child(), signal.SIGKILL)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "private tracer of this command ended with signal 9" in told
    assert private.left() == []
    assert private.run("hooks").returncode == 0
    assert not any((INSTANCES / one).exists() for one in instances)


def test_a_reader_that_has_seen_enough_ends_it_quietly(private: Private, box: Box) -> None:
    process = start_trace(private, box)
    instances = private.instances()
    assert len(instances) == 2
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, told = process.communicate(timeout=20)
    assert (process.returncode, told) == (0, "")
    assert not any((INSTANCES / one).exists() for one in instances)
    assert private.left() == []


def test_top_counts_what_happens(private: Private, box: Box) -> None:
    ran = private.run("top", box.name, "--count", "2", "--interval", "0.5", "-o", "json", *ONLY)
    assert ran.returncode == 0, ran.stderr
    first, second = map(json.loads, ran.stdout.splitlines())
    (summary,) = second.values()
    (call,) = summary["Calls"]
    assert (call["Name"], call["Pod"]) == ("getppid", box.name)
    assert call["Count"] > 0
    assert first.keys() == second.keys()


def test_a_pod_that_is_not_there_is_a_sentence(private: Private) -> None:
    ran = private.run("trace", "no-such-pod", "trace_syscalls")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        "container-tracer: No running container matches pod 'no-such-pod', container '*';"
        " GET /v1/pods lists what there is.\n"
    )
    assert private.left() == []


def test_without_tracefs_it_says_how_to_get_it(private: Private, tmp_path: Any) -> None:
    (tmp_path / "sys/kernel/tracing").mkdir(parents=True)
    environ = {"TRACER_SYSFS_PATH": str(tmp_path / "sys")}
    ran = private.run("trace", "any", "trace_syscalls", environ=environ)
    assert ran.returncode == 1
    assert "--mount-tracefs" in ran.stderr
    assert private.left() == []


def test_what_lies_in_the_current_directory_is_never_run(private: Private, tmp_path: Any) -> None:
    for name in ("sanic", "structlog", "container_tracer", "domain"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    ran = private.run("hooks", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert not (tmp_path / "ran").exists()


def test_a_node_that_cannot_start_says_why(private: Private) -> None:
    ran = private.run("pods", environ={"TRACER_MAX_SESSIONS": "many"})
    assert ran.returncode == 1
    assert "TRACER_MAX_SESSIONS: 'many' is not a number" in ran.stderr
    assert private.left() == []
