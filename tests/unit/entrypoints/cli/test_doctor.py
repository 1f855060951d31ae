"""The doctor as a command: where it looks, what it refuses, and how it ends."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from container_tracer.entrypoints.cli.commands import COMMANDS
from container_tracer.entrypoints.cli.running import run
from container_tracer.fakes.cri_server import FakeCriServer
from container_tracer.fakes.procfs import FakeProcfs

Doctor = Callable[..., tuple[int, str, str]]


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    def call(*words: str | Path, environ: dict[str, str] | None = None) -> tuple[int, str, str]:
        code = run(["doctor", *map(str, words)], environ or {}, COMMANDS)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


@pytest.fixture
def machine(tmp_path: Path) -> Sequence[str | Path]:
    """Flags that lead to a machine without tracing."""
    FakeProcfs(tmp_path / "proc")
    (tmp_path / "sys").mkdir()
    return ("--procfs-path", tmp_path / "proc", "--sysfs-path", tmp_path / "sys")


def found(out: str, subject: str) -> dict[str, Any]:
    (finding,) = [one for one in json.loads(out)["Findings"] if one["Subject"] == subject]
    return dict(finding)


def test_a_machine_without_tracing_is_a_problem_and_exit_code_1(
    doctor: Doctor, machine: Sequence[str | Path], tmp_path: Path
) -> None:
    code, out, err = doctor(*machine, "-o", "json")
    assert (code, err) == (1, "")
    assert json.loads(out)["Possible"] is False
    assert found(out, "tracefs")["What"] == f"There is no folder {tmp_path}/sys/kernel/tracing."
    assert "CONFIG_FTRACE" in found(out, "bystanders")["What"]


def test_runtimes_are_asked_what_they_are(
    doctor: Doctor, machine: Sequence[str | Path], socket_folder: Path
) -> None:
    path = socket_folder / "containerd/containerd.sock"
    path.parent.mkdir()
    with FakeCriServer(path=path) as server:
        server.add_pod("s1", "web-0")
        for where in (("--run-path", socket_folder), ("--cri-endpoint", f"unix://{path}")):
            _, out, _ = doctor(*machine, *where, "--no-measure", "-o", "json")
            assert found(out, "CRI")["What"] == (
                f"A container runtime, containerd 1.7.24, answers at {path}; pods: 1."
            )
    _, out, _ = doctor(*machine, "--cri-endpoint", path, "--no-measure", "-o", "json")
    assert found(out, "CRI")["Verdict"] == "warning"
    assert "cannot be reached" in found(out, "CRI")["What"]


def test_an_endpoint_that_can_be_none_is_refused(doctor: Doctor) -> None:
    code, _, err = doctor("--cri-endpoint", "tcp://10.0.0.1:1")
    assert code == 2
    assert "no CRI socket" in err


def test_nothing_is_measured_where_that_was_asked_for(
    doctor: Doctor, machine: Sequence[str | Path]
) -> None:
    _, out, _ = doctor(*machine, "--no-measure", "-o", "json")
    assert "--no-measure was given" in found(out, "bystanders")["What"]


def test_it_looks_where_variables_say(doctor: Doctor, tmp_path: Path) -> None:
    environ = {
        "TRACER_PROCFS_PATH": str(tmp_path / "proc"),
        "TRACER_SYSFS_PATH": str(tmp_path / "sys"),
        "TRACER_RUN_PATHS": f"{tmp_path}/a;{tmp_path}/b",
    }
    (tmp_path / "sys/kernel/tracing").mkdir(parents=True)
    _, out, _ = doctor("--no-measure", "-o", "json", environ=environ)
    folder = tmp_path / "sys/kernel/tracing"
    assert found(out, "tracefs")["Mend"] == f"mount -t tracefs nodev {folder}"
    assert f"cannot be listed in {tmp_path}/proc" in found(out, "containers")["What"]


def test_people_read_sentences_and_a_closing_line(
    doctor: Doctor, machine: Sequence[str | Path]
) -> None:
    _, out, _ = doctor(*machine, "--no-measure")
    lines = out.splitlines()
    assert any(line.startswith("PROBLEM  There is no folder") for line in lines)
    assert lines[-1].startswith("Tracing is not possible: ")


def test_mounting_is_refused(doctor: Doctor) -> None:
    code, out, err = doctor("--mount-tracefs")
    assert (code, out) == (2, "")
    assert "The doctor changes nothing" in err


def test_a_server_that_does_not_answer_is_a_finding_and_exit_code_3(doctor: Doctor) -> None:
    code, out, _ = doctor("--server", "unix:/nowhere/to/be/found", "-o", "json")
    assert code == 3
    assert found(out, "server")["Verdict"] == "problem"
    assert "/nowhere/to/be/found" in found(out, "server")["What"]
