"""Findings on a page: whole sentences in any width, and commands that can be copied."""

import pytest

from container_tracer.domain.model.diagnosis.finding import info, ok, problem, warning
from container_tracer.entrypoints.cli.findings import (
    closing_line,
    finding_lines,
    findings_document,
)

LONG = problem(
    "tracefs",
    "This is a long sentence that says of the well-known tracefs that it is not where it was.",
    why="It was unmounted by somebody while nobody was looking, which may happen anywhere.",
    mend="mount -t tracefs nodev /sys/kernel/tracing --and --so --on --and --so --on --and --on",
)
FINE = ok("user", "This is root.")


def test_a_pipe_gets_a_line_for_each_sentence_and_each_command() -> None:
    assert finding_lines([FINE, LONG], width=None) == [
        "ok       This is root.",
        f"PROBLEM  {LONG.what}",
        f"         {LONG.why}",
        f"         mend: {LONG.mend}",
    ]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_sentences_are_wrapped_to_the_terminal_and_commands_stay_whole(width: int) -> None:
    lines = finding_lines([LONG], width=width)
    sentences = [line for line in lines if "mend:" not in line]
    assert max(len(line) for line in sentences) <= width
    assert " ".join(" ".join(sentences).split()) == f"PROBLEM {LONG.what} {LONG.why}"
    assert lines[-1] == f"         mend: {LONG.mend}"


def test_a_terminal_too_narrow_for_anything_is_borne() -> None:
    assert finding_lines([FINE], width=1) == ["ok       This is root."]


def test_colours_change_nothing_but_colours() -> None:
    plain = finding_lines([FINE, LONG], width=80)
    coloured = finding_lines([FINE, LONG], width=80, colour=True)
    assert len(plain) == len(coloured)
    assert coloured[0] == "\x1b[32mok       \x1b[0mThis is root."


@pytest.mark.parametrize("width", [None, 80])
def test_other_peoples_words_cannot_steer_the_terminal(width: int | None) -> None:
    evil = problem("a", "Named \x1b[2J\n.", why="Because \x1b]0;\x07.", mend="rmdir '\x1b[1m'")
    text = "".join(finding_lines([evil], width=width))
    assert text.isprintable()


def test_the_closing_line_sums_up() -> None:
    alarming = warning("a", "A.", why="B.")
    assert closing_line([FINE]) == "Tracing is possible."
    assert closing_line([FINE, alarming]) == "Tracing is possible; 1 warning."
    assert closing_line([LONG, LONG, alarming, alarming]) == (
        "Tracing is not possible: 2 problems; 2 warnings."
    )


def test_a_document_has_everything() -> None:
    document = findings_document([info("BPF", "There is BPF.", mend="apt-get install x"), LONG])
    assert document["Possible"] is False
    assert document["Findings"] == [
        {
            "Subject": "BPF",
            "Verdict": "info",
            "What": "There is BPF.",
            "Why": "",
            "Mend": "apt-get install x",
        },
        {
            "Subject": "tracefs",
            "Verdict": "problem",
            "What": LONG.what,
            "Why": LONG.why,
            "Mend": LONG.mend,
        },
    ]
    assert findings_document([FINE])["Possible"] is True
