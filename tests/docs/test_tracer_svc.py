"""The page about the program is true: its examples, its limits."""

import re
import shlex
from pathlib import Path

import pytest

from container_tracer.adapters.http.node_client import MAX_ANSWER_BYTES
from container_tracer.domain.model.node_errors import MAX_BYTES
from container_tracer.domain.services.broadcast import MAX_ANSWERS_BYTES
from container_tracer.entrypoints.svc.settings import read_settings

PAGE = (Path(__file__).parents[2] / "docs/tracer-svc.md").read_text()


def test_its_limits_are_those_of_the_code() -> None:
    assert f"{MAX_ANSWER_BYTES >> 20} MiB each and {MAX_ANSWERS_BYTES >> 20} MiB together" in PAGE
    assert f"at most {MAX_BYTES:,} of them" in PAGE


def test_its_command_is_taken() -> None:
    (command,) = re.findall(r"^tracer-svc (.*)$", PAGE, re.MULTILINE)
    assert [one.name for one in read_settings(shlex.split(command), {}).nodes] == [
        "worker-1",
        "worker-2",
    ]


@pytest.mark.parametrize(
    ("command", "line"), re.findall(r"^\$ tracer-svc (.*)\n(.*)$", PAGE, re.MULTILINE)
)
def test_its_examples_say_what_it_says(
    command: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_settings(shlex.split(command), {})
    assert capsys.readouterr().err == f"{line}\n"
