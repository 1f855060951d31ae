"""The page about the program is true: every flag and variable, its examples, its limits."""

import re
import shlex
from pathlib import Path

import pytest

from container_tracer.adapters.http.node_client import MAX_ANSWER_BYTES
from container_tracer.domain.model.node_errors import MAX_BYTES
from container_tracer.domain.services.broadcast import MAX_ANSWERS_BYTES
from container_tracer.entrypoints.options import options_of
from container_tracer.entrypoints.svc.settings import SvcSettings, read_settings

PAGE = (Path(__file__).parents[2] / "docs/tracer-svc.md").read_text()
ROW = re.compile(r"^\| (?:`(--[a-z-]+)` )?\|(.*?)\|(.*?)\|(?:.*)\|$", re.MULTILINE)
ROWS = ROW.findall(PAGE.split("| flag | environment |")[1].partition("\n\n")[0])


def test_it_has_every_flag_and_variable() -> None:
    written = {(flag, tuple(re.findall("`(.+?)`", names))) for flag, names, _ in ROWS}
    assert written == {(one.flag, one.variables) for one in options_of(SvcSettings).values()}


def test_it_has_the_defaults() -> None:
    defaults = read_settings([], {})
    fields = {one.flag: name for name, one in options_of(SvcSettings).items()}
    for flag, _, cell in ROWS:
        if flag and (shown := re.findall("`(.+?)`", cell)):
            assert shown == [str(getattr(defaults, fields[flag]))], flag
        else:
            assert cell.strip() in {"none", "off"}, flag


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
