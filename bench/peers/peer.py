"""What a tool has to offer to be measured."""

from pathlib import Path
from typing import Protocol

from attrs import frozen

from bench.measured import Round
from bench.sink import Sink
from bench.workload import Shape


@frozen(kw_only=True)
class Bench:
    """What measuring needs: the workload, a folder for files, and a collector."""

    program: Path
    folder: Path
    sink: Sink


class Tool(Protocol):
    """A tool that is measured; what cannot be done here raises `NotRun` with the reason."""

    @property
    def name(self) -> str:
        """What the table calls it."""

    @property
    def heavy(self) -> bool:
        """Whether it costs so much per call that a round has fewer of them."""

    def measure(self, shape: Shape, calls: int) -> Round:
        """Run one round of so many calls."""
