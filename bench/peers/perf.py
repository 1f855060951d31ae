"""perf: a line or a table of calls, or samples in a file."""

import re
import subprocess
from pathlib import Path

from .command import OUTPUT, CommandTool, Seen, lines
from .peer import Bench

PACKAGES, PROGRAM = ("linux-perf",), "perf"
EVENTS = "raw_syscalls:sys_enter,raw_syscalls:sys_exit"
SAMPLES = re.compile(r"^\s+SAMPLE events:\s+(\d+)", re.MULTILINE)
ROW = re.compile(r"^\s+[a-z]\w*\s+(\d+)\s+\d+\s+[\d.]+", re.MULTILINE)
LOST = re.compile(r"LOST (\d+) events")


def tools(bench: Bench) -> list[CommandTool]:
    """Return what perf offers."""
    return [
        CommandTool(
            bench=bench,
            name="perf trace -o FILE",
            heavy=True,
            waits=False,
            command=lambda workload: ["perf", "trace", "-o", OUTPUT, *workload],
            seen=written,
        ),
        CommandTool(
            bench=bench,
            name="perf trace -s",
            heavy=True,
            waits=False,
            command=lambda workload: ["perf", "trace", "-s", "-o", OUTPUT, *workload],
            seen=lambda place, output: Seen(summed((place / OUTPUT).read_text()), lost(output)),
        ),
        CommandTool(
            bench=bench,
            name="perf record",
            heavy=False,
            command=lambda workload: [
                *("perf", "record", "-q", "-m", "2048", "-o", OUTPUT, "-e", EVENTS),
                *workload,
            ],
            seen=sampled,
        ),
    ]


def lost(output: str) -> int:
    """Sum up what perf says it lost."""
    return sum(int(count) for count in LOST.findall(output))


def written(place: Path, output: str) -> Seen:
    """Count calls; one that another thread interrupts has two lines."""
    text = place / OUTPUT
    return Seen(lines(text, without="[continued]"), lost(output + text.read_text()))


def summed(table: str) -> int:
    """Sum up the calls of all threads in the tables of `perf trace -s`."""
    return sum(int(count) for count in ROW.findall(table))


def sampled(place: Path, _output: str) -> Seen:
    """Count samples, two a call."""
    report = subprocess.run(
        ["perf", "report", "--stats", "-i", OUTPUT],
        cwd=place, check=False, capture_output=True, text=True,
    ).stdout  # fmt: skip
    found = SAMPLES.search(report)
    return Seen(int(found[1]) // 2 if found else 0)
