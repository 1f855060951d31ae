"""A collector that counts and forgets (see sink.c)."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import define, frozen

from .processes import compiled, ended, line_of


@frozen
class Received:
    """What a collector has received since it started."""

    requests: int
    bytes: int
    spans: int
    others: int
    unread: int
    cpu_ns: int

    @property
    def all_spans(self) -> int:
        """Spans with and without a parent."""
        return self.spans + self.others


@define
class Sink:
    """A running collector."""

    url: str
    _process: subprocess.Popen[str]

    @property
    def traces_url(self) -> str:
        """Where traces are sent to."""
        return f"{self.url}/v1/traces"

    def received(self) -> Received:
        """Ask it."""
        if self._process.stdin is None:
            raise RuntimeError("the collector has no input")
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return Received(*map(int, line_of(self._process.stdout).split()))


@contextmanager
def running_sink(folder: Path) -> Iterator[Sink]:
    """Start a collector on a free loopback port."""
    program = compiled(Path(__file__).parent / "sink.c", folder)
    with (
        subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
        ended(process),
    ):
        yield Sink(f"http://127.0.0.1:{int(line_of(process.stdout))}", process)
