"""On a real terminal: nothing wraps, nothing is left, and colours are a matter of taste."""

import re

import pytest

from .conftest import Box, OnTerminal

pytestmark = pytest.mark.kernel

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SCREENS = re.compile(r"\r\n|\x1b\[H|\x1b\[\?1049[hl]")
"""Between lines: an end of one, the first line of a screen, a change of screens."""


@pytest.mark.parametrize("columns", [80, 200])
def test_on_a_terminal_no_line_wraps_and_the_progress_goes_before_it_ends(
    on_terminal: OnTerminal, box: Box, columns: int
) -> None:
    screen = on_terminal("trace", box.name, "trace_syscalls", columns=columns, until="getppid() =")
    assert screen.code == 130
    assert "\x1b[1m" in screen.shown
    plain = [ANSI.sub("", line.rpartition("\r\x1b[K")[2]) for line in screen.shown.split("\r\n")]
    spans = [line for line in plain if "getppid" in line]
    assert spans
    assert all(len(line) <= columns for line in plain[:-3])
    assert all(line.split()[1].startswith(box.name[:6]) for line in spans)


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("command", ["pods", "hooks", "top"])
def test_tables_fit_the_terminal(
    on_terminal: OnTerminal, box: Box, command: str, columns: int
) -> None:
    more = (box.name, "--count", "1", "--interval", "0.5") if command == "top" else ("-o", "wide")
    screen = on_terminal(command, *more, columns=columns)
    assert screen.code == 0
    lines = [ANSI.sub("", line) for line in SCREENS.split(screen.shown)]
    assert all(len(line) <= columns for line in lines)
    if command != "hooks":
        assert any(box.name in line for line in lines)


@pytest.mark.parametrize("columns", [80, 200])
def test_a_preview_fits_the_terminal(on_terminal: OnTerminal, box: Box, columns: int) -> None:
    screen = on_terminal("pods", "--match", f"{box.name[:-1]}?", "-l", "!none", columns=columns)
    assert screen.code == 0
    lines = [ANSI.sub("", line) for line in SCREENS.split(screen.shown)]
    assert all(len(line) <= columns for line in lines)
    assert any(box.name in line for line in lines)
    nothing = on_terminal("pods", "--match", box.name, "-l", "none in (a,b)", columns=columns)
    assert nothing.code == 0
    assert ANSI.sub("", nothing.shown).strip() == (
        f"No running container matches pod '{box.name}', container '*', labels 'none in (a,b)'."
    )


def test_no_colour_is_no_escape_at_all(on_terminal: OnTerminal) -> None:
    assert "\x1b" in on_terminal("hooks", columns=80).shown
    assert "\x1b" not in on_terminal("hooks", columns=80, NO_COLOR="1").shown
    assert "\x1b" not in on_terminal("hooks", "--no-color", columns=80).shown
