"""bpftrace: a line at each entry and return, or a count kept in the kernel."""

import re
import shlex

from .command import CommandTool, Seen
from .peer import Bench

PACKAGES, PROGRAM = ("bpftrace",), "bpftrace"
PRINTING = (
    'tracepoint:raw_syscalls:sys_enter /pid == cpid/ { printf("> %d %d\\n", tid, args->id); } '
    'tracepoint:raw_syscalls:sys_exit /pid == cpid/ { printf("< %d %d\\n", tid, args->ret); }'
)
COUNTING = "tracepoint:raw_syscalls:sys_enter /pid == cpid/ { @ = count(); }"
LINE = re.compile(r"^[<>] \d+ -?\d+$", re.MULTILINE)
COUNT = re.compile(r"^@: (\d+)$", re.MULTILINE)
LOST = re.compile(r"Lost (\d+) events")


def tools(bench: Bench) -> list[CommandTool]:
    """Return what bpftrace offers."""

    def command(script: str, workload: list[str]) -> list[str]:
        return ["bpftrace", "-c", shlex.join(workload), "-e", script]

    return [
        CommandTool(
            bench=bench,
            name="bpftrace, printf",
            heavy=True,
            command=lambda workload: command(PRINTING, workload),
            seen=lambda _, output: Seen(len(LINE.findall(output)) // 2, lost(output)),
        ),
        CommandTool(
            bench=bench,
            name="bpftrace, count only",
            heavy=False,
            command=lambda workload: command(COUNTING, workload),
            seen=lambda _, output: Seen(sum(int(count) for count in COUNT.findall(output))),
        ),
    ]


def lost(output: str) -> int:
    """Sum up what bpftrace says it lost."""
    return sum(int(count) for count in LOST.findall(output))
