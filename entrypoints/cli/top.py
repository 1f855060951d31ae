"""`top`: counts, errors and latencies per call, refreshed while the containers run."""

import argparse
import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from attrs import define, field
from rich.console import Console
from rich.live import Live
from rich.text import Text

from ...client import Answer, Summary, TracerClient
from ...domain.model.quoting import printable
from .command import NO_SERVER, Command, Invocation, UsageError
from .connecting import connect
from .exit_codes import ExitCode
from .output import with_node_errors
from .places import CONTAINER, PLACES, document_of, placed
from .refusals import note_refused
from .summary_table import SORT_KEYS, Key, call_rows, summary_table
from .table import table_lines
from .target import add_request_options, add_selection_options, count, is_narrowed, top_request
from .writing import LineWriter

ALL = "all"
USUAL_HOOK = "trace_syscalls"
SMALLEST_INTERVAL = 0.1
LOOKS = 5
"""Rates are since so many looks ago: events arrive in portions, not evenly."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the target, and how often and in which order to show."""
    parser.add_argument(
        "words",
        metavar="WORD",
        nargs="*",
        help="id of a session, or [NAMESPACE/]POD [CONTAINER] [HOOK]; nothing: all that there is",
    )
    add_selection_options(parser)
    add_request_options(parser)
    parser.add_argument(
        "--by", choices=PLACES, default=CONTAINER, help="add up what is alike; default container"
    )
    parser.add_argument(
        "--sort", choices=list(SORT_KEYS), default="total", help="order of rows; default total"
    )
    parser.add_argument(
        "--interval",
        metavar="SECONDS",
        type=_seconds,
        default=1.0,
        help="seconds between tables; default 1",
    )
    parser.add_argument("--count", metavar="N", type=count, default=0, help="end after N tables")


async def run(invocation: Invocation) -> int:
    """Show summaries until somebody ends it."""
    words = invocation.options.words
    existing = len(words) == 1 and words[0].isascii() and words[0].isdecimal()
    stays = invocation.server.stays
    if existing and not stays:
        raise UsageError(NO_SERVER)
    narrowed = is_narrowed(invocation.options) or invocation.options.vmm
    if existing and narrowed:
        raise UsageError("A session has its containers; -n, -l and --vmm are for a new one.")
    async with connect(invocation, traces=True) as tracer:
        if existing or (stays and not words and not narrowed):
            return await _watch(invocation, tracer, words[0] if words else ALL)
        hooks = {hook.name for hook in await tracer.hooks()}
        request = top_request(invocation, words, hooks, usual=USUAL_HOOK)
        async with tracer.temporary(request) as group:
            note_refused(invocation.output, group.parts)
            invocation.output.failed_nodes(group.node_errors)
            return await _watch(invocation, tracer, group.handle)


async def _watch(invocation: Invocation, tracer: TracerClient, session_id: str) -> int:
    options, stop = invocation.options, invocation.stop
    with stop.awaited():
        async with _view(invocation) as view:
            while True:
                if not await _pause(stop.asked, options.interval):
                    return stop.exit_code
                summaries = await tracer.summaries(session_id, buckets=options.by != CONTAINER)
                await view.take(summaries)
                over = session_id != ALL and not any(one.state == "running" for one in summaries)
                if over or view.shown == options.count:
                    return ExitCode.FINE


async def _pause(asked: asyncio.Event, seconds: float) -> bool:
    """Wait; return False at once when somebody asks for the end."""
    try:
        async with asyncio.timeout(seconds):
            await asked.wait()
    except TimeoutError:
        return True
    return False


@define(kw_only=True, eq=False)
class SummaryView:
    """Shows summaries, each in the place of the last on a terminal, else one after the other."""

    invocation: Invocation
    writer: LineWriter
    live: Live | None = None
    shown: int = 0
    _looks: deque[dict[Key, tuple[int, int]]] = field(factory=lambda: deque(maxlen=LOOKS))
    _last: list[str] = field(factory=list)

    async def take(self, answer: Answer[Summary]) -> None:
        """Show summaries, and which nodes they lack."""
        self.shown += 1
        output, failed = self.invocation.output, answer.node_errors
        summaries = placed(answer, self.invocation.options.by)
        if not output.for_people:
            document = with_node_errors(document_of(summaries), failed)
            await self.writer.write(output.item_text(document))
            return
        self._last = [*self._lines(summaries), *(printable(str(one)) for one in failed)]
        if self.live is None:
            await self.writer.write("\n".join([*self._last, ""]))
        else:
            self.live.update(self._screen(), refresh=True)

    def last_words(self) -> list[str]:
        """Return what was shown last; a screen that is left leaves nothing behind."""
        return self._last if self.live is not None else []

    def _lines(self, summaries: Sequence[Summary]) -> list[str]:
        output = self.invocation.output
        rows = call_rows(summaries, self._looks[0] if self._looks else {})
        self._looks.append({row.key: (row.summary.until_ns, row.call.count) for row in rows})
        table = summary_table(rows, sort=self.invocation.options.sort)
        lines = table_lines(table, width=output.width, wide=output.wide, colour=output.colour)
        return [_head(summaries), *lines] if rows else [_head(summaries), table.empty]

    def _screen(self) -> Text:
        height = self.live.console.size.height if self.live is not None else len(self._last)
        lines = [Text.from_ansi(line) for line in self._last[:height]]
        return Text("\n").join(lines)


def _head(summaries: Sequence[Summary]) -> str:
    """Say of which run it is, and what is missing in it."""
    spans = sum(one.spans for one in summaries)
    lost = sum(one.lost for one in summaries)
    seconds = max(((one.until_ns - one.started_ns) / 1e9 for one in summaries), default=0.0)
    return f"{spans:,} spans in {seconds:.0f} s, {lost:,} events lost"


@asynccontextmanager
async def _view(invocation: Invocation) -> AsyncIterator[SummaryView]:
    output = invocation.output
    view = SummaryView(invocation=invocation, writer=LineWriter(output.stream))
    async with AsyncExitStack() as stack:
        if output.for_people and output.width and invocation.environ.get("TERM", "dumb") != "dumb":
            console = Console(
                file=output.stream,
                color_system="auto" if output.colour else None,
                highlight=False,
                emoji=False,
            )
            live = Live(console=console, screen=True, auto_refresh=False)
            view.live = stack.enter_context(live)
            live.update(Text("Counting ..."), refresh=True)
        yield view
    output.lines(view.last_words())


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not SMALLEST_INTERVAL <= seconds <= 86400:  # noqa: PLR2004 - a day
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0.1 to 86400")
    return seconds


COMMAND = Command(
    name="top",
    summary="show calls, rates, errors and latencies, refreshed each second",
    synopsis="[OPTIONS] [SESSION | [NAMESPACE/]POD [CONTAINER] [HOOK]] [-- HOOK-ARGUMENTS]",
    examples=(
        "top web",
        "top 'shop/*' --sort p99",
        "top 'shop/*' --by call --cluster",
        "top web trace_syscalls --count 1 --interval 10 -- -s read write",
        "top 14839817793236214348 --server http://worker-1:8080",
    ),
    add_options=add_options,
    run=run,
    arguments_follow=True,
)
