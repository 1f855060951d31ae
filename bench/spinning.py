"""The workload of the benchmarks, and what the kernel says a process used."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import define, frozen

SOURCE = Path(__file__).parent / "spin.c"


@frozen
class Spent:
    """What a round took, in nanoseconds."""

    wall_ns: int
    cpu_ns: int


@define
class Spinner:
    """A running workload."""

    _process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        """The process that was started; in a namespace of its own, the calls are its child's."""
        return self._process.pid

    def worker(self) -> int:
        """The process that makes the calls."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return int(children[0]) if children else self.pid

    def calls(self, count: int, apart_ns: int = 0) -> Spent:
        """Make calls, and wait until they are made."""
        self.begin(count, apart_ns)
        return self.end()

    def begin(self, count: int, apart_ns: int = 0) -> None:
        """Make calls."""
        if self._process.stdin is None:
            raise RuntimeError("the workload has no input")
        self._process.stdin.write(f"{count} {apart_ns}\n")
        self._process.stdin.flush()

    def end(self) -> Spent:
        """Wait until the calls are made."""
        if self._process.stdout is None:
            raise RuntimeError("the workload has no output")
        wall, cpu = self._process.stdout.readline().split()
        return Spent(int(wall), int(cpu))


@contextmanager
def compiled() -> Iterator[Path]:
    """Compile the workload."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "spin"
        subprocess.run(["gcc", "-O2", "-o", program, SOURCE], check=True)
        yield program


@contextmanager
def spinner(program: Path, *, cpu: int, own_namespace: bool = False) -> Iterator[Spinner]:
    """Start the workload on a CPU, as a container of its own or as a bystander."""
    words = [str(program), str(cpu), *(["own-namespace"] if own_namespace else [])]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        one = Spinner(process)
        one.calls(1)  # it is there
        try:
            yield one
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.wait(10)


def cpu_ns(pid: int) -> int:
    """CPU time of all threads of a process, living ones, in nanoseconds."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
