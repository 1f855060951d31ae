"""A line on standard error that says how a trace is going, where that is a terminal."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TextIO

from attrs import define, field
from rich.cells import set_cell_size

from ...client import NodeError
from .output import terminal_width

REDRAW_SECONDS = 0.25
ERASE = "\r\x1b[K"


@define(kw_only=True)
class Tally:
    """What has come so far: spans shown, spans missed by us, events lost by the kernel.

    `containers` are traced now; None if that is not known yet. `failed_nodes` are those of a
    cluster that are missing in it, each once; `interruptions` are gaps of unknown size.
    """

    spans: int = 0
    dropped_spans: int = 0
    lost_events: int = 0
    containers: int | None = None
    failed_nodes: dict[str, None] = field(factory=dict)
    interruptions: int = 0

    def note_failed(self, failed: Iterable[NodeError]) -> None:
        """Note nodes that are missing."""
        self.failed_nodes |= {one.node: None for one in failed}


@define(kw_only=True, eq=False)
class ProgressLine:
    """Drawn again and again; erased before anything else is written.

    Where it is not `enabled`, nothing is ever drawn. `awaited` says which containers are waited
    for while there are none, such as `pods that match 'web-*'`.
    """

    tally: Tally
    stream: TextIO
    enabled: bool
    awaited: str = ""
    clock: Callable[[], float] = time.monotonic
    _started: float = 0.0
    _last: tuple[float, int] = (0.0, 0)
    _drawn: bool = False
    _rate: float = 0.0

    def draw(self) -> None:
        """Draw it anew."""
        width = terminal_width(self.stream)
        if width is None or not self.enabled:
            return
        now = self.clock()
        self._measure(now)
        text = set_cell_size(self.text(now), width - 1).rstrip()
        self.stream.write(f"{ERASE}\x1b[2m{text}\x1b[0m")
        self.stream.flush()
        self._drawn = True

    def erase(self) -> None:
        """Take it away, if it is there."""
        if self._drawn:
            self.stream.write(ERASE)
            self.stream.flush()
            self._drawn = False

    def text(self, now: float) -> str:
        """Say it in words."""
        tally = self.tally
        return (
            f"{now - self._started:.0f} s  {self._containers()}{tally.spans:,} spans"
            f"  {self._rate:,.0f}/s  lost {tally.lost_events:,}  dropped {tally.dropped_spans:,}"
            "  Ctrl-C ends"
        )

    def _containers(self) -> str:
        """Say how many containers there are, or that they are waited for."""
        number = self.tally.containers
        if number is None:
            return ""
        if not number and self.awaited:
            return f"waiting for {self.awaited}  "
        return f"{number:,} container{'' if number == 1 else 's'}  "

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Show it during the block."""
        self._started = now = self.clock()
        self._last = (now, 0)
        drawing = asyncio.create_task(self._redraw(), name="draw progress")
        try:
            yield
        finally:
            drawing.cancel()
            with suppress(asyncio.CancelledError):
                await drawing
            self.erase()

    async def _redraw(self) -> None:
        while True:
            self.draw()
            await asyncio.sleep(REDRAW_SECONDS)

    def _measure(self, now: float) -> None:
        then, spans = self._last
        if now - then >= 1:
            self._rate = (self.tally.spans - spans) / (now - then)
            self._last = (now, self.tally.spans)


def can_show_progress(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether a line can be drawn again and again there."""
    return stream.isatty() and environ.get("TERM", "dumb") != "dumb"
