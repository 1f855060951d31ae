"""`make demo` shows the main job, and its last line is true."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.kernel


def test_the_demo_traces_every_known_call_and_leaves_nothing_behind() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "demo"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=90,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    last = ended.stdout.splitlines()[-1]
    found = re.fullmatch(r"demo: ok spans=(\d+) lost=0 dropped=0 unattributed=\d+", last)
    assert found, last
    assert int(found[1]) >= 45_000
    assert not any("demo-" in one.name for one in Path("/sys/kernel/tracing/instances").iterdir())
