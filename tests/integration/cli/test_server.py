"""Commands towards a node that stays, and the Python client of the documentation."""

import json

import pytest
import yaml

from .conftest import Box, Private

pytestmark = pytest.mark.kernel


def test_a_session_is_kept_watched_stopped_started_and_deleted(
    private: Private, server: str, box: Box
) -> None:
    def client(*argv: str, code: int = 0) -> str:
        ran = private.run("--server", server, *argv)
        assert ran.returncode == code, ran.stderr
        return ran.stdout

    trace = ("trace", box.name, "trace_syscalls", "--exporter", "file:jsonl", "--context", "why?")
    session = client(*trace, "--keep", "--", "-s", "getppid").strip()
    listed = client("sessions", "list").splitlines()
    assert [line.split()[:3] for line in listed[1:]] == [[session, "running", "trace_syscalls"]]
    summary = json.loads(client("top", session, "--count", "1", "-o", "json"))
    assert [one["Name"] for one in summary[session]["Calls"]] == ["getppid"]
    client("sessions", "stop", session)
    (shown,) = yaml.safe_load_all(client("sessions", "show", session, "-o", "yaml"))
    assert (shown[session]["State"], shown[session]["Context"]) == ("stopped", "why?")
    assert shown[session]["Output"][0].endswith(".jsonl")
    (end,) = map(json.loads, client("sessions", "events", session, "-o", "json").splitlines())
    assert end["stream"] == "end"
    client("sessions", "start", session)
    assert "State:      running" in client("sessions", "show", session)
    client("sessions", "delete", session)
    assert json.loads(client("sessions", "list", "-o", "json")) == {}
    client("sessions", "show", session, code=1)


def test_a_preview_shows_what_a_session_of_its_words_takes(
    private: Private, server: str, box: Box
) -> None:
    def client(*argv: str, code: int = 0) -> str:
        ran = private.run("--server", server, *argv)
        assert ran.returncode == code, ran.stderr
        return ran.stdout + ran.stderr

    pattern = f"[a-c]li-{box.name.removeprefix('cli-')}"
    words = (pattern, "python*")
    narrow = ("-l", "!no-such-label,app!=other", "-n", "")
    preview = json.loads(client("pods", "--match", *words, *narrow, "-o", "json"))
    assert [one["Parent"] for pod in preview.values() for one in pod["Containers"].values()] == [
        [box.pid]
    ]
    session = client("trace", *words, "trace_syscalls", *narrow, "--keep").strip()
    (made,) = json.loads(client("sessions", "show", session, "-o", "json")).values()
    client("sessions", "delete", session)
    assert made["Containers"] == {pod: list(one["Containers"]) for pod, one in preview.items()}
    assert made["Refused"] == {}
    for nothing in (("--match", "[!c]li-*"), ("--match", box.name, "-l", "no-such-label")):
        assert "No running container matches pod" in client("pods", *nothing)
    assert "No running container matches pod" in client(
        "trace", box.name, "trace_syscalls", "-l", "app=web", code=1
    )


def test_a_trace_on_a_server_is_deleted_when_it_is_over(
    private: Private, server: str, box: Box
) -> None:
    ran = private.run("trace", box.name, "trace_syscalls", "--max-events", "3", "--server", server)
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.splitlines()) == 4
    listed = private.run("sessions", "list", "--server", server)
    assert listed.stderr == "This tracer has no sessions.\n"


def test_nobody_there_is_its_own_exit_code(private: Private) -> None:
    ran = private.run("pods", "--server", f"unix:{private.folder}/none")
    assert ran.returncode == 3
    assert "cannot be reached: no such file or directory" in ran.stderr
