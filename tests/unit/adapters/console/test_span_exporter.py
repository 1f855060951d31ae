import asyncio
import fcntl
import io
import json
import os
import pty
import struct
import termios
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TextIO

import pytest

from container_tracer.adapters.console.span_exporter import ConsoleSpanExporter
from container_tracer.fakes.spans import FakeSpan, awkward_batch, many_spans, span_batch
from container_tracer.ports.errors import ExportFailed
from container_tracer.ports.span_exporter import TraceContext

SESSION = TraceContext(session_id="1")


class Terminal:
    """A pseudo terminal, 150 cells wide: `stream` is the program's side."""

    def __init__(self, stack: ExitStack, encoding: str = "utf-8") -> None:
        self.screen, program = pty.openpty()
        fcntl.ioctl(program, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 150, 0, 0))
        self.stream = stack.enter_context(os.fdopen(program, "w", encoding=encoding))
        stack.callback(os.close, self.screen)

    def read(self) -> list[str]:
        text = os.read(self.screen, 65_536).decode(self.stream.encoding)
        return text.split("\r\n")


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with ExitStack() as stack:
        yield Terminal(stack)


@pytest.fixture
def pipe() -> Iterator[tuple[TextIO, TextIO]]:
    readable, writable = os.pipe()
    with os.fdopen(readable, encoding="utf-8") as reader:
        writer = os.fdopen(writable, "w", encoding="utf-8")
        yield reader, writer
        writer.close()


async def test_a_terminal_gets_a_table_in_colour(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    sink = await ConsoleSpanExporter(terminal.stream).open(SESSION)
    await sink.write(span_batch(FakeSpan(result=-2)))
    header, row, end = terminal.read()
    assert header.startswith("\x1b[1mTIME ")
    assert "\x1b[31mENOENT" in row
    assert len(row) == 150 + len("\x1b[31m\x1b[0m")
    assert end == ""


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
async def test_a_terminal_without_colour_gets_no_escape_sequence(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    sink = await ConsoleSpanExporter(terminal.stream).open(SESSION)
    await sink.write(awkward_batch())
    assert all(line.isprintable() for line in terminal.read())


async def test_a_pipe_gets_json_lines(pipe: tuple[TextIO, TextIO]) -> None:
    reader, writer = pipe
    sink = await ConsoleSpanExporter(writer, "worker-1", {"team": "core"}).open(SESSION)
    await sink.write(many_spans(3))
    lines = [json.loads(reader.readline()) for _ in range(3)]
    assert all(line["tags"] == {"team": "core"} for line in lines)
    assert [(line["node"], line["name"]) for line in lines] == [
        ("worker-1", "read"),
        ("worker-1", "openat"),
        ("worker-1", "getpid"),
    ]


async def test_lines_of_several_sessions_stay_whole(pipe: tuple[TextIO, TextIO]) -> None:
    reader, writer = pipe
    exporter = ConsoleSpanExporter(writer)
    sinks = [await exporter.open(TraceContext(session_id=str(one))) for one in range(4)]

    async def write() -> None:
        await asyncio.gather(*(sink.write(many_spans(500)) for sink in sinks for _ in range(3)))
        writer.close()

    lines, _ = await asyncio.gather(asyncio.to_thread(reader.readlines), write())
    assert len(lines) == 4 * 3 * 500
    assert all(json.loads(line)["events"] == 2 for line in lines)


async def test_a_stream_somebody_made_non_blocking_loses_nothing(
    pipe: tuple[TextIO, TextIO],
) -> None:
    reader, writer = pipe
    os.set_blocking(writer.fileno(), False)
    sink = await ConsoleSpanExporter(writer).open(SESSION)

    async def write() -> None:
        await sink.write(many_spans(2_000))
        writer.close()

    lines, _ = await asyncio.gather(asyncio.to_thread(reader.readlines), write())
    assert len([json.loads(line) for line in lines]) == 2_000


async def test_a_broken_pipe_is_a_failed_export_that_says_what_to_do(
    pipe: tuple[TextIO, TextIO],
) -> None:
    reader, writer = pipe
    sink = await ConsoleSpanExporter(writer).open(SESSION)
    reader.close()
    for _ in range(2):
        with pytest.raises(ExportFailed, match=r"broken pipe\); stop the session"):
            await sink.write(many_spans(1))
    await sink.close()


async def test_a_closed_stream_is_a_failed_export() -> None:
    stream = io.StringIO()
    sink = await ConsoleSpanExporter(stream).open(SESSION)
    stream.close()
    with pytest.raises(ExportFailed, match="closed file"):
        await sink.write(many_spans(1))


async def test_a_full_device_is_a_failed_export() -> None:
    with open("/dev/full", "w", encoding="utf-8") as stream:  # noqa: ASYNC230, PTH123
        sink = await ConsoleSpanExporter(stream).open(SESSION)
        with pytest.raises(ExportFailed, match="No space left on device"):
            await sink.write(many_spans(1))


async def test_what_follows_a_torn_line_is_whole() -> None:
    stream = io.StringIO()
    exporter = ConsoleSpanExporter(stream)
    sink = await exporter.open(SESSION)
    stream.write('{"time": "2024-')
    exporter._spans.torn = True
    await sink.write(many_spans(1))
    assert json.loads(stream.getvalue().splitlines()[1])["name"] == "read"


async def test_a_terminal_that_cannot_show_a_letter_gets_its_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with ExitStack() as stack:
        terminal = Terminal(stack, "ascii")
        sink = await ConsoleSpanExporter(terminal.stream).open(SESSION)
        await sink.write(span_batch(FakeSpan(command="café")))
        assert r" caf\xe9 " in terminal.read()[1]
