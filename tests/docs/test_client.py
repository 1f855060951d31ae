"""The page about the client is true: its commands run, and so does its program."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from container_tracer.entrypoints.cli.commands import COMMANDS
from container_tracer.entrypoints.cli.exit_codes import ExitCode

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/client.md").read_text()
SH = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[str]:
    found: list[str] = SH.findall((ROOT / page).read_text())
    return found


def one_with(words: str, page: str) -> str:
    (block,) = [block for block in blocks(page) if words in block]
    return block


def test_it_has_every_command() -> None:
    written = set(re.findall(r"^\| `([a-z]+)", PAGE, re.MULTILINE))
    assert written == set(COMMANDS)


def test_it_has_every_exit_code() -> None:
    codes = re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)
    assert {int(code) for code in codes} == {int(code) for code in ExitCode}


@pytest.fixture(scope="module")
def examples(follow: Callable[[str, list[str]], Any]) -> Any:
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return follow(
        "client",
        [
            "PATH=$PWD/.venv/bin:$PATH",
            one_with("CONTAINER=$!", "README.md"),
            one_with("NODE=$!", "README.md"),
            *blocks("docs/client.md"),
            f"cat > program.py <<'END'\n{program}END\npython program.py",
            "kill $NODE\nkill -9 $CONTAINER",
        ],
    )


@pytest.mark.kernel
@pytest.mark.xdist_group("client")
class TestExamples:
    """Its commands, in their order."""

    def test_commands_need_no_server(self, examples: Any) -> None:
        shown = examples.answer("container-tracer pods")
        assert examples.name in shown
        assert "only these system calls" in shown
        assert "openat(dfd=" in shown
        assert "Ended: its duration of 2 s is over." in shown
        ends = [line for line in shown.splitlines() if line.startswith('{"stream":"end"')]
        assert [json.loads(end)["statistics"]["Source"]["Lost"] for end in ends] == [0]
        assert "P99" in shown

    def test_sessions_outlive_commands_on_a_server(self, examples: Any) -> None:
        shown = examples.answer("--keep")
        assert "who is slow?" in shown
        assert "running" in shown
        assert '{"stream":"end"' in shown

    def test_the_program_prints_spans_and_how_it_ended(self, examples: Any) -> None:
        lines = examples.answer("program.py").splitlines()
        assert any(line.startswith("sh openat ") for line in lines)
        assert "its duration of 2 s is over 0" in lines

    def test_nothing_is_left_in_the_kernel(self, examples: Any) -> None:
        assert examples.instances() == []
