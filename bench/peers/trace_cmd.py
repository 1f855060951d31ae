"""trace-cmd: tracefs to a file, by splice."""

import os
import re
import subprocess
from pathlib import Path

from bench.instances import TRACEFS, removed
from bench.processes import compiled

from .command import OUTPUT, CommandTool, Seen
from .peer import Bench

PACKAGES, PROGRAM = ("trace-cmd",), "trace-cmd"
PRELOAD = Path(__file__).parent / "trace_cmd_preload.c"
RECORDED = re.compile(r"^(?:read events|entries): (\d+)$", re.MULTILINE)
LOST = re.compile(r"^(?:overrun|dropped events): (\d+)$", re.MULTILINE)


def tools(bench: Bench) -> list[CommandTool]:
    """Return what trace-cmd offers; where the function tracer is forbidden, told to do without."""
    instance = f"bench-{os.getpid()}-trace-cmd"
    before, name = [], "trace-cmd record"
    if not _function_tracer_allowed():
        preload = compiled(PRELOAD, bench.folder, "-shared", "-fPIC")
        before, name = ["env", f"LD_PRELOAD={preload}"], f"{name}, events only"
    return [
        CommandTool(
            bench=bench,
            name=name,
            heavy=False,
            command=lambda workload: [
                *(*before, "trace-cmd", "record", "-B", instance, "-b", "8192", "-o", OUTPUT),
                *("-e", "syscalls", "-F", "-c", *workload),
            ],
            seen=recorded,
            around=lambda: removed(TRACEFS / "instances" / instance),
        )
    ]


def recorded(place: Path, _output: str) -> Seen:
    """Count events by the kernel's own statistics, which it keeps in its file."""
    report = subprocess.run(
        ["trace-cmd", "report", "--stat", "-i", OUTPUT],
        cwd=place, check=False, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return seen(report)


def seen(report: str) -> Seen:
    """Read the statistics of each CPU.

    They are from before its last reading, which brings all entries that were left into its file.
    """
    recorded = sum(int(count) for count in RECORDED.findall(report))
    return Seen(recorded // 2, sum(int(count) for count in LOST.findall(report)))


def _function_tracer_allowed() -> bool:
    try:
        os.close(os.open(TRACEFS / "set_ftrace_pid", os.O_RDONLY))
    except PermissionError:
        return False
    except OSError:
        return True
    return True
