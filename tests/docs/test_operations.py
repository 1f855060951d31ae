"""Sentences that the page on operations explains are sentences the program can say."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operations.md").read_text()
SENTENCES = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)
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
