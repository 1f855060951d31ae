"""The page about the API is true: its routes, its errors, and every example."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from container_tracer.entrypoints.rest.errors import STATUS, problem_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/rest-api.md").read_text()
API = json.loads((ROOT / "entrypoints/rest/openapi.json").read_text())
ABSTRACT = {"RequestError", "PortError"}


def blocks(page: str) -> list[str]:
    text = (ROOT / page).read_text()
    found: list[str] = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [block for block in found if not block.startswith("make ")]


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading."""
    table = PAGE.partition(f"\n{heading}\n")[2].partition("\n|")[2].partition("\n\n")[0]
    lines = f"|{table}".splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_it_has_the_routes_of_the_description() -> None:
    described = {
        f"{method.upper()} {path}" for path, methods in API["paths"].items() for method in methods
    }
    assert {route.strip("`") for route, _ in rows("## Routes")} == described


def test_it_has_the_keys_of_a_request_for_a_session() -> None:
    keys = [key.strip("`") for key, *_ in rows("### Make a session")]
    assert set(keys) == set(API["components"]["schemas"]["SessionRequest"]["properties"])


def test_it_has_every_problem() -> None:
    written = {
        (int(status), name)
        for status, names, _ in rows("## Errors")
        for name in re.findall("`([a-z-]+)`", names)
    }
    expected = {
        (int(status), problem_of(kind("")).type.rpartition(":")[2])
        for kind, status in STATUS.items()
        if kind.__name__ not in ABSTRACT
    }
    assert written == expected


def test_its_problem_is_one() -> None:
    (example,) = re.findall(r'```json\n(\{"type": .*?)```', PAGE, re.DOTALL)
    assert json.loads(example)["title"] == "No matching container"


@pytest.fixture(scope="module")
def examples(follow: Callable[[str, list[str]], Any]) -> Any:
    container, _, node, *_, end = blocks("README.md")
    api = blocks("docs/rest-api.md")
    hook = blocks("docs/hooks/trace_syscalls.md")
    pages = blocks("docs/zpages.md")
    files = blocks("docs/exporters.md")
    kill = "\n".join(line for line in end.splitlines() if line.startswith("kill"))
    return follow("api", [container, node, *api, *pages, *hook, "sleep 1.5", *files, kill])


@pytest.mark.kernel
@pytest.mark.xdist_group("rest-api")
class TestExamples:
    """Its commands, and those of other pages that go on from them."""

    def test_the_session_is_made_as_shown(self, examples: Any) -> None:
        head, _, body = examples.answer("who looks for it?").partition("\n\n")
        assert "HTTP/1.1 201 Created" in head
        (made,) = json.loads(body).values()
        assert made["State"] == "created"
        assert made["TraceParams"] == ["-s", "openat,close", "--errors-only"]

    def test_no_example_is_answered_with_a_problem(self, examples: Any) -> None:
        answers = zip(examples.blocks, examples.shown, strict=True)
        problems = [
            shown for block, shown in answers if '"type": "' in shown and "/docs" not in block
        ]
        assert problems == []

    def test_changes_are_answered_with_nothing(self, examples: Any) -> None:
        assert examples.answer("-X DELETE $API/trace-session/all") == "{}" * 4

    def test_the_pages_show_the_requests_before(self, examples: Any) -> None:
        shown = examples.answer("debug/tracez?format=json")
        for part in ('{"name": "GET /v1/pods", "running": 0', '"kind": "server"', '"windows"'):
            assert part in shown

    def test_the_hook_and_the_files_work_as_described(self, examples: Any) -> None:
        (session,) = json.loads(examples.answer("--min-duration")).values()
        assert session["TraceParams"] == [
            "-s",
            "open*",
            "close",
            "-t",
            "1000",
            "--min-duration",
            "1us",
        ]
        assert '"name":"openat"' in examples.answer("uniq -c")

    def test_nothing_is_left_in_the_kernel(self, examples: Any) -> None:
        assert examples.instances() == []
