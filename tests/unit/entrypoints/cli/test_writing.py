"""Writing to whoever reads slowly, or not at all, never holds anything up."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from typing import TextIO

import pytest
from attrs import define

from container_tracer.entrypoints.cli.writing import LineWriter


@define
class Pipe:
    reader: int
    stream: TextIO


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        one = Pipe(reader, stream)
        yield one
    if one.reader >= 0:
        os.close(one.reader)


async def test_a_full_pipe_is_waited_for_while_the_loop_goes_on(pipe: Pipe) -> None:
    text = "x" * 200_000
    writing = asyncio.create_task(LineWriter(pipe.stream).write(text))
    await asyncio.sleep(0)
    assert not writing.done()
    read = b""
    while len(read) <= len(text):
        with contextlib.suppress(BlockingIOError):
            read += os.read(pipe.reader, 65536)
        await asyncio.sleep(0)
    await writing
    assert read == text.encode() + b"\n"


async def test_a_write_nobody_reads_can_be_given_up(pipe: Pipe) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await LineWriter(pipe.stream).write("x" * 200_000)


async def test_a_reader_that_is_gone_is_noticed_when_writing_and_when_silent(pipe: Pipe) -> None:
    writer = LineWriter(pipe.stream)
    writer.check()
    os.close(pipe.reader)
    pipe.reader = -1
    with pytest.raises(BrokenPipeError):
        writer.check()
    with pytest.raises(BrokenPipeError):
        await writer.write("x")


async def test_what_the_encoding_lacks_is_escaped(pipe: Pipe) -> None:
    await LineWriter(pipe.stream).write("\udcff")
    assert os.read(pipe.reader, 100) == b"\\udcff\n"
