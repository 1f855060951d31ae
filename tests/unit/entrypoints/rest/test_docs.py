"""The page for people needs nothing from elsewhere, and cannot be made to run what it shows."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from container_tracer.entrypoints import rest

PAGE = Path(rest.__file__).with_name("docs.html").read_text()


def test_it_names_no_other_server() -> None:
    assert not re.search(r"https?:|//[a-z]+\.|@import|\bimport\(", PAGE)
    assert set(re.findall(r'(?:src|href)="([^"]*)"', PAGE)) == {"data:,", "/openapi.json"}


def test_it_writes_text_never_html() -> None:
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in PAGE


async def test_it_is_served_with_a_policy_that_keeps_it_at_home(node: Any) -> None:
    answer = await node.ask("GET", "/docs")
    assert (answer.status, answer.media_type) == (200, "text/html")
    assert answer.body.decode() == PAGE
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy


@pytest.mark.skipif(shutil.which("node") is None, reason="no JavaScript engine to read it with")
def test_its_script_can_be_read(tmp_path: Path) -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", PAGE, re.DOTALL)
    file = tmp_path / "docs.js"
    file.write_text(script)
    subprocess.run(["node", "--check", str(file)], check=True)
