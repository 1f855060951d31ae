"""The workload of the benchmarks: so many system calls, on so many CPUs."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import define, frozen

from .measured import Spent
from .processes import children_of, ended

SOURCE = Path(__file__).parent / "workload.c"


@frozen
class Shape:
    """What the workload does: on which CPUs, and which calls (see workload.c)."""

    name: str
    cpus: tuple[int, ...]
    mix: str

    def serving(self, program: Path, *, contained: bool) -> list[str]:
        """Return the command of a workload that waits for rounds."""
        own = ["own-namespace"] if contained else []
        return [str(program), "serve", *self._words(), *own]

    def once(self, program: Path, calls: int) -> list[str]:
        """Return the command of a workload that makes one round, of so many calls in all."""
        return [str(program), "once", *self._words(), str(calls // len(self.cpus))]

    def _words(self) -> list[str]:
        return [",".join(map(str, self.cpus)), self.mix]


def shapes() -> tuple[Shape, ...]:
    """Return all shapes that tools are compared at."""
    trivial = last_core()
    return (trivial, Shape("mix, one core", trivial.cpus, "mix"), all_cores("getppid"))


def all_cores(mix: str) -> Shape:
    """Return a shape on every CPU this process may use."""
    return Shape(f"{mix}, all cores", tuple(sorted(os.sched_getaffinity(0))), mix)


def last_core() -> Shape:
    """Return the trivial shape on one CPU that is not the first."""
    return Shape("getppid, one core", (max(os.sched_getaffinity(0)),), "getppid")


@define
class Workload:
    """A running workload; calls are counted over all of its CPUs."""

    _process: subprocess.Popen[str]
    _cpus: int

    @property
    def pid(self) -> int:
        """The process that makes the calls."""
        return next(iter(children_of(self._process.pid)), self._process.pid)

    def calls(self, count: int, rate: int = 0) -> Spent:
        """Make calls, so many a second or at full speed, and wait until they are made."""
        self.begin(count, rate)
        return self.end()

    def begin(self, count: int, rate: int = 0) -> None:
        """Make calls, so many a second or at full speed."""
        if self._process.stdin is None:
            raise RuntimeError("the workload has no input")
        self._process.stdin.write(f"{count // self._cpus} {rate // self._cpus}\n")
        self._process.stdin.flush()

    def end(self) -> Spent:
        """Wait until the calls are made."""
        if self._process.stdout is None:
            raise RuntimeError("the workload has no output")
        return spent_of(self._process.stdout.readline())


def spent_of(output: str) -> Spent:
    """Read what a workload says of a round; it is the last line with two numbers."""
    for line in reversed(output.splitlines()):
        words = line.split()
        if len(words) == 2 and all(word.isdecimal() for word in words):
            return Spent(int(words[0]), int(words[1]))
    raise ValueError(f"the workload did not say how long it took, but: {output[-200:]!r}")


@contextmanager
def running(program: Path, shape: Shape, *, contained: bool = True) -> Iterator[Workload]:
    """Start a workload, as a container of its own or as a bystander."""
    with (
        subprocess.Popen(
            shape.serving(program, contained=contained),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
        ended(process),
    ):
        one = Workload(process, len(shape.cpus))
        one.calls(len(shape.cpus))  # it is there
        yield one
