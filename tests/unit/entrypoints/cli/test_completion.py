"""Completion scripts load in their shells, and complete."""

import shutil
import subprocess

import pytest

from container_tracer.entrypoints.cli.commands import COMMANDS
from container_tracer.entrypoints.cli.completion import SCRIPTS, describe
from container_tracer.entrypoints.cli.plugin_completion import completions

SCRIPT = {shell: write(describe(COMMANDS)) for shell, write in SCRIPTS.items()}
WORDS = [
    ("", set(COMMANDS)),
    ("--ser", {"--server"}),
    ("tr", {"trace"}),
    ("trace --du", {"--duration"}),
    ("sessions st", {"start", "stop"}),
    ("-o json sessions li", {"list"}),
    ("pods -o ", {"table", "wide", "json", "yaml"}),
    ("top --sort p", {"p50", "p95", "p99"}),
    ("completion ", {"bash", "zsh", "fish"}),
    ("trace web trace_syscalls -- -", set()),
]


def installed(shell: str) -> str:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"there is no {shell} here")
    return program


@pytest.mark.parametrize(("line", "expected"), WORDS)
def test_bash_completes(line: str, expected: set[str]) -> None:
    words = ["container-tracer", *line.split(" ")]
    quoted = " ".join(f"'{word}'" for word in words)
    script = (
        f"{SCRIPT['bash']}\nCOMP_WORDS=({quoted})\nCOMP_CWORD={len(words) - 1}\n"
        '_container_tracer\nprintf "%s\\n" "${COMPREPLY[@]}"'
    )
    ran = subprocess.run(
        [installed("bash"), "-euc", script], capture_output=True, text=True, check=True
    )
    assert ran.stderr == ""
    found = set(ran.stdout.split())
    assert found == expected


@pytest.mark.parametrize(("line", "expected"), WORDS)
def test_kubectl_completes(line: str, expected: set[str]) -> None:
    *found, directive = completions(line.split(" "), COMMANDS)
    assert (set(found), directive) == (expected, ":4")


def test_kubectl_completes_names_of_files() -> None:
    assert completions(["pods", "--ca-file", ""], COMMANDS) == [":0"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_read_without_complaint(shell: str) -> None:
    ran = subprocess.run(
        [installed(shell), "-n", "/dev/stdin"],
        input=SCRIPT[shell],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stderr == ""


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_every_command_and_option_is_in_every_script(shell: str) -> None:
    for words in describe(COMMANDS):
        assert words.name in SCRIPT[shell]
        for option in words.options:
            for flag in option.option_strings:
                assert flag.lstrip("-") in SCRIPT[shell]
