"""One instance of tracefs: its control files, and its end."""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from attrs import define, field

REMOVAL_SECONDS = 5.0
"""How long to try; the kernel answers EBUSY for some milliseconds after the last close."""

NOBODY = PID_MAX_LIMIT = 4 * 1024 * 1024
"""A tid that no task can have (include/linux/threads.h). An empty list would mean everybody."""


@define
class Instance:
    """A folder below `instances/`, made and removed by this object.

    Until it is removed it keeps one of its files open: so nobody else can remove it.
    """

    path: Path
    _switch: int = field(init=False, default=-1)

    def create(self) -> None:
        """Make it, not recording."""
        while self._switch < 0:
            self.path.mkdir()
            try:
                self._switch = os.open(self.path / "tracing_on", os.O_WRONLY)
            except FileNotFoundError:
                # Until it is open, a node of our name that starts may take it for a leftover.
                if self.path.exists():
                    raise
        self.record(on=False)

    def record(self, *, on: bool) -> None:
        """Switch recording on or off."""
        os.pwrite(self._switch, b"1" if on else b"0", 0)

    def write(self, name: str, text: str) -> None:
        """Replace the content of a control file."""
        with (self.path / name).open("w") as control:
            control.write(text)

    def append(self, name: str, words: Iterable[str]) -> None:
        """Add words to a control file that holds a list, in as few writes as it takes."""
        data = b"".join(f"{word}\n".encode() for word in words)
        # Python's mode "a" seeks to the end first, which these files refuse.
        control = os.open(self.path / name, os.O_WRONLY | os.O_APPEND)
        try:
            while data:
                data = data[os.write(control, data) :]
        finally:
            os.close(control)

    def read(self, name: str) -> str:
        """Return the text of a file."""
        return (self.path / name).read_text()

    def remove(self) -> None:
        """Remove it with everything in it; again is harmless."""
        if self._switch >= 0:
            with suppress(OSError):
                self.record(on=False)
                self.write("events/enable", "0")
            os.close(self._switch)
            self._switch = -1
        deadline = time.monotonic() + REMOVAL_SECONDS
        while self.path.is_dir():
            try:
                self.path.rmdir()
            except FileNotFoundError:
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
