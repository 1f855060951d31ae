"""Tools that start the workload themselves: `tool [options] workload once ...`."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen

from bench.measured import Round, Spent
from bench.processes import NotRun, Ran, run
from bench.workload import Shape, spent_of

from .peer import Bench

OUTPUT = "trace"


@frozen
class Seen:
    """What a tool says of a run: system calls it has seen, and events it lost (None: no word)."""

    calls: int
    lost: int | None = None


@frozen(kw_only=True)
class CommandTool:
    """Runs a command; `seen` reads what it left in its folder or printed.

    Starting the tool and the workload is measured too, by a round of no calls, and subtracted.
    `waits` says whether the tool waits for the workload, whose CPU time is then among its own.
    `around` removes what it leaves elsewhere.
    """

    bench: Bench
    name: str
    heavy: bool
    waits: bool = True
    command: Callable[[list[str]], list[str]]
    seen: Callable[[Path, str], Seen]
    around: Callable[[], AbstractContextManager[None]] = nullcontext

    def measure(self, shape: Shape, calls: int) -> Round:
        """Run one round of so many calls."""
        idle, _, idle_seen = self._run(shape, 0)
        tool_ns, spent, seen = self._run(shape, calls)
        return Round(
            calls=calls,
            spent=spent,
            captured=max(0, seen.calls - idle_seen.calls),
            lost=seen.lost,
            tool_cpu_ns=max(0, tool_ns - idle),
        )

    def _run(self, shape: Shape, calls: int) -> tuple[int, Spent, Seen]:
        with TemporaryDirectory(dir=self.bench.folder) as place, self.around():
            ran = run(self.command(shape.once(self.bench.program, calls)), folder=Path(place))
            spent = self._spent(ran)
            own = ran.cpu_ns - spent.cpu_ns if self.waits else ran.cpu_ns
            return own, spent, self.seen(Path(place), ran.output)

    def _spent(self, ran: Ran) -> Spent:
        try:
            return spent_of(ran.output)
        except ValueError:
            said = " ".join(ran.output.split())
            raise NotRun(f"it ended with code {ran.code}: {said[:160]}") from None


def lines(path: Path, *, without: str = "\0") -> int:
    """Count the lines of a file, but for those with a certain text."""
    with path.open(errors="replace") as file:
        return sum(without not in line for line in file)
