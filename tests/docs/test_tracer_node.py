"""The page about the program is true: every flag and variable, and its examples."""

import re
import shlex
from pathlib import Path

import pytest

from container_tracer.entrypoints.node.later import LATER
from container_tracer.entrypoints.node.settings import EXPORTERS, NodeSettings, read_settings
from container_tracer.entrypoints.options import Option, options_of

PAGE = (Path(__file__).parents[2] / "docs/tracer-node.md").read_text()
ROW = re.compile(r"^\| `(--[a-z-]+)` \|(.*?)\|(.*?)\|(?:(.*)\|)?$", re.MULTILINE)


def table(number: int) -> dict[str, tuple[tuple[str, ...], str]]:
    """Return the variables and the cell behind them, by flag."""
    text = PAGE.split("\n| flag | environment |")[number]
    found = ROW.findall(text.partition("\n\n")[0])
    return {flag: (tuple(re.findall("`(.+?)`", names)), cell) for flag, names, cell, _ in found}


def variables(options: dict[str, Option]) -> dict[str, tuple[str, ...]]:
    return {one.flag: one.variables for one in options.values() if one.flag}


def test_it_has_every_flag_with_its_variables() -> None:
    written = {flag: names for flag, (names, _) in table(1).items()}
    assert written == variables(options_of(NodeSettings))


def test_it_has_every_variable_without_a_flag() -> None:
    names = [one.variables for one in options_of(NodeSettings).values() if not one.flag]
    rows = re.findall(r"^\| \| `(.+?)` \|", PAGE, re.MULTILINE)
    assert [tuple(row.split("`, `")) for row in rows] == names


def test_it_has_what_is_refused() -> None:
    assert {flag: names for flag, (names, _) in table(2).items()} == variables(dict(LATER))


def test_it_has_the_defaults() -> None:
    defaults = read_settings([], {})
    options = {one.flag: name for name, one in options_of(NodeSettings).items()}
    for flag, (_, cell) in table(1).items():
        value = getattr(defaults, options[flag])
        shown = re.findall("`(.+?)`", cell)
        if shown:
            values = value if isinstance(value, tuple) else (value,)
            assert shown == [str(one) for one in values], flag
        else:
            assert cell.strip() in {"none", "off", "the host name"}, flag


def test_it_names_every_exporter() -> None:
    assert all(f"`{name}`" in PAGE for name in EXPORTERS)


@pytest.mark.parametrize(
    ("command", "line"), re.findall(r"^\$ tracer-node (.*)\n(.*)$", PAGE, re.MULTILINE)
)
def test_its_examples_say_what_it_says(
    command: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_settings(shlex.split(command), {})
    assert capsys.readouterr().err == f"{line}\n"
