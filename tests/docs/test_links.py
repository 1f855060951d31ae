"""Links between documents lead somewhere, and what documents name is there."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
SOURCE = re.compile(
    r"`((?:domain|ports|adapters|entrypoints|fakes|tests|scripts|requirements)/[^`]*)`"
)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(prose(page)):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_what_is_named_of_the_source_is_there(page: Path) -> None:
    for path in SOURCE.findall(page.read_text()):
        if "TECHNOLOGY" not in path:
            assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", [*ROOT.glob("docs/**/*.md")], ids=name)
def test_every_page_can_be_reached_from_the_readme(page: Path) -> None:
    seen, left = set(), [ROOT / "README.md"]
    while left:
        one = left.pop()
        if one not in seen and one.suffix == ".md":
            seen.add(one)
            targets = (target.partition("#")[0] for target in LINK.findall(prose(one)))
            left += [(one.parent / t).resolve() for t in targets if t and "://" not in t]
    assert page in seen


@pytest.mark.parametrize("picture", [*ROOT.glob("docs/**/*.svg")], ids=name)
def test_pictures_say_what_they_show_and_fit_dark_pages(picture: Path) -> None:
    root = ET.fromstring(picture.read_text())  # noqa: S314 - a file of our own
    tags = {element.tag.rpartition("}")[2] for element in root}
    assert {"title", "desc"} <= tags
    assert "prefers-color-scheme: dark" in picture.read_text()
