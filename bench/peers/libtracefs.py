"""libtracefs: the C library for tracefs, with a callback in C for each event."""

import subprocess
from pathlib import Path

from attrs import frozen

from bench.instances import lost, recording
from bench.measured import Round
from bench.processes import NotRun, compiled, ended, line_of
from bench.workload import Shape, running

from .peer import Bench

PACKAGES, PROGRAM = ("libtracefs-dev", "libtraceevent-dev", "pkg-config"), ""
SOURCE = Path(__file__).parent / "libtracefs_reader.c"


@frozen(kw_only=True)
class LibtracefsTool:
    """Reads an instance with the C library."""

    bench: Bench
    reader: Path
    name: str = "libtracefs, C callback"
    heavy: bool = False

    def measure(self, shape: Shape, calls: int) -> Round:
        """Run one round of so many calls."""
        with running(self.bench.program, shape) as workload, recording(workload.pid) as instance:
            with subprocess.Popen(
                [self.reader, instance.name],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            ) as reader, ended(reader):  # fmt: skip
                line_of(reader.stdout)
                spent = workload.calls(calls)
                if reader.stdin is not None:
                    reader.stdin.close()
                events, cpu_ns = map(int, line_of(reader.stdout).split())
            return Round(
                calls=calls,
                spent=spent,
                captured=events // 2,
                lost=lost(instance),
                tool_cpu_ns=cpu_ns,
            )


def tools(bench: Bench) -> list[LibtracefsTool]:
    """Compile the reader."""
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "libtracefs"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if flags.returncode:
        raise NotRun("its headers are not installed")
    return [
        LibtracefsTool(bench=bench, reader=compiled(SOURCE, bench.folder, *flags.stdout.split()))
    ]
