"""Sentences that the page on operations explains are sentences the program can say."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from container_tracer.domain.model.diagnosis.finding import Verdict

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operations.md").read_text()
SENTENCES = re.findall(r"^\| `([^`]+)` \|", PAGE.partition("## Troubleshooting")[2], re.MULTILINE)
CODE = "\n".join(
    path.read_text()
    for layer in ("domain", "adapters", "entrypoints", "ports")
    for path in sorted((ROOT / layer).rglob("*.py"))
)
# Texts are written in pieces, on several lines.
SAID = re.sub(r'"\s*f?"', "", CODE)
SYSTEM = {"address already in use"}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_program_can_say_it(sentence: str) -> None:
    parts = [part.strip(" :") for part in sentence.split("…")]
    for part in parts:
        assert part in SAID or part in SYSTEM, part


def test_the_verdicts_of_the_doctor_are_those_there_are() -> None:
    section = PAGE.partition("## The doctor")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(Verdict)


@pytest.mark.kernel
def test_its_commands_run_as_they_stand(tmp_path: Path) -> None:
    commands = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert commands
    for command in commands:
        done = subprocess.run(
            ["bash", "-euc", command],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Tracing is possible" in done.stdout
