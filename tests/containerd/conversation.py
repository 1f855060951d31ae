"""Telling the program of `tests/integration/workload.c` what to do while it is in a container."""

import os
import select
import time
from pathlib import Path
from typing import Self

from attrs import define, field

PLACE = "/conversation"
"""Where a container has the folder of the pipes."""


@define(eq=False)
class Conversation:
    """Two pipes in a folder, to be mounted at `PLACE` of the container that runs `command`."""

    folder: Path
    _said: int = field(default=-1, init=False)
    _heard: int = field(default=-1, init=False)
    _rest: bytes = field(default=b"", init=False)

    def __enter__(self) -> Self:
        self.folder.mkdir()
        for name in ("in", "out"):
            os.mkfifo(self.folder / name)
        # Open for both, so that neither waits for the other end.
        self._said = os.open(self.folder / "in", os.O_RDWR)
        self._heard = os.open(self.folder / "out", os.O_RDWR)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._said)
        os.close(self._heard)

    @property
    def mounts(self) -> dict[str, Path]:
        return {PLACE: self.folder}

    @staticmethod
    def command(threads: int = 0, *, prefix: str = "") -> tuple[str, ...]:
        """Return the command that runs the workload with so many threads.

        `prefix` is for what changes something and then runs the rest, such as `unshare`.
        """
        workload = f"exec {prefix} /bin/workload {threads} < {PLACE}/in > {PLACE}/out"
        return "/bin/sh", "-c", workload

    def tell(self, line: str) -> list[int]:
        """Say a line, and return the numbers it is answered with: rounds made, then tids."""
        self.say(line)
        return self.answer()

    def say(self, line: str) -> None:
        os.write(self._said, f"{line}\n".encode())

    def answer(self, seconds: float = 30) -> list[int]:
        """Wait for a line, and return its numbers."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._heard], [], [], max(deadline - time.monotonic(), 0))
            assert ready, "the workload does not answer"
            self._rest += os.read(self._heard, 1 << 16)
        line, _, self._rest = self._rest.partition(b"\n")
        ok, *numbers = line.split()
        assert ok == b"ok"
        return [int(number) for number in numbers]
