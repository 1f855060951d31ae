"""Writing a stream of lines without ever being stuck in a write.

A terminal can be halted (Ctrl-S), and whoever reads a pipe can be slow; signals and deadlines
must work all the same.
"""

import asyncio
import os
import select
from collections.abc import Iterator
from typing import TextIO

from attrs import define

CHUNK_BYTES = select.PIPE_BUF
"""A pipe that is ready for writing takes this much without blocking (pipe(7))."""


@define(eq=False)
class LineWriter:
    """Writes lines to a stream, waiting in the event loop until it takes them."""

    stream: TextIO

    async def write(self, line: str) -> None:
        """Write a line; raise `BrokenPipeError` when nobody reads any more."""
        descriptor = _descriptor(self.stream)
        if descriptor is None:
            self.stream.write(f"{line}\n")
            return
        data = f"{line}\n".encode(self.stream.encoding, "backslashreplace")
        for chunk in _chunks(data):
            rest = chunk
            while rest:
                await _until_writable(descriptor)
                try:
                    rest = rest[os.write(descriptor, rest) :]
                except BlockingIOError:
                    continue

    def check(self) -> None:
        """Raise `BrokenPipeError` if nobody reads any more, although nothing was written."""
        descriptor = _descriptor(self.stream)
        if descriptor is not None and _poll(descriptor, 0) & select.POLLERR:
            raise BrokenPipeError


def _chunks(data: bytes) -> Iterator[bytes]:
    return (data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES))


async def _until_writable(descriptor: int) -> None:
    if _poll(descriptor, select.POLLOUT):
        return
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(descriptor)


def _poll(descriptor: int, events: int) -> int:
    poll = select.poll()
    poll.register(descriptor, events)
    return sum(found for _, found in poll.poll(0))


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except OSError:  # a stream in memory
        return None
