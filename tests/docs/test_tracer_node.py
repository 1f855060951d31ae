"""The page about the program is true: its examples say what it says."""

import re
import shlex
from pathlib import Path

import pytest

from container_tracer.entrypoints.node.settings import read_settings

PAGE = (Path(__file__).parents[2] / "docs/tracer-node.md").read_text()


@pytest.mark.parametrize(
    ("command", "line"), re.findall(r"^\$ tracer-node (.*)\n(.*)$", PAGE, re.MULTILINE)
)
def test_its_examples_say_what_it_says(
    command: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_settings(shlex.split(command), {})
    assert capsys.readouterr().err == f"{line}\n"
