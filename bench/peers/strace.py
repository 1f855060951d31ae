"""strace: stops the workload at each call."""

import re
from pathlib import Path

from .command import OUTPUT, CommandTool, Seen, lines
from .peer import Bench

PACKAGES, PROGRAM = ("strace",), "strace"
TOTAL = re.compile(r"^100\.00\s+[\d.]+\s+(?:\d+\s+)?(\d+)\s+(?:\d+\s+)?total$", re.MULTILINE)


def tools(bench: Bench) -> list[CommandTool]:
    """Return what strace offers: counting, and writing a line per call."""
    return [
        CommandTool(
            bench=bench,
            name="strace -f -c",
            heavy=True,
            command=lambda workload: ["strace", "-f", "-c", "-o", OUTPUT, *workload],
            seen=lambda place, _: Seen(total((place / OUTPUT).read_text())),
        ),
        CommandTool(
            bench=bench,
            name="strace -f -o FILE",
            heavy=True,
            command=lambda workload: ["strace", "-f", "-o", OUTPUT, *workload],
            seen=written,
        ),
    ]


def total(table: str) -> int:
    """Read the number of calls from the last line of `strace -c`."""
    found = TOTAL.search(table)
    return int(found[1]) if found else 0


def written(place: Path, _output: str) -> Seen:
    """Count calls; one that another thread interrupts has two lines."""
    return Seen(lines(place / OUTPUT, without=" resumed>"))
