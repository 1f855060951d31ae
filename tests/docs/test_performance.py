"""The page on performance has what make bench measured, and its commands are there."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/performance.md").read_text()
MEASURED = PAGE.partition("<!-- bench:begin -->")[2].partition("<!-- bench:end -->")[0]


def test_the_measured_part_compares_tools_and_says_on_what() -> None:
    assert re.match(r"\nMeasured \d{4}-\d\d-\d\d, \w+ run, on \d+ CPUs", MEASURED)
    for tool in ("strace", "perf record", "OpenTelemetry SDK", "container-tracer"):
        assert f"\n| {tool}" in MEASURED
    rows = [line.count("|") for line in MEASURED.splitlines() if line.startswith("|")]
    assert set(rows) == {4, 7}


def test_the_commands_start_the_benchmark_in_the_mode_they_say() -> None:
    (block,) = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line, mode in zip(block.splitlines(), ("full", "quick"), strict=True):
        command = line.partition("#")[0].replace("make bench", "make --dry-run bench")
        shown = subprocess.run(
            ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert re.search(rf"python -m bench {mode}$", shown.stdout, re.MULTILINE)
