"""Signals: the first one ends the command in good order, the second one at once."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from attrs import define, field

from .exit_codes import SIGNALLED

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@define(eq=False)
class Stop:
    """Whether somebody wants the program to end; `number` is the signal, 0 for none.

    A command that ends by itself when asked does its work in a `with stop.awaited()` block and
    waits for `asked`; everywhere else the command is cancelled.
    """

    number: int = 0
    asked: asyncio.Event = field(factory=asyncio.Event)
    on_second: Callable[[], None] = lambda: None
    _cancel: Callable[[], object] = lambda: None
    _awaited: bool = False

    def listen(self, command: "asyncio.Task[int]") -> None:
        """Take signals from now on, on behalf of a command."""
        self._cancel = command.cancel
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.take, int(number))

    def take(self, number: int) -> None:
        """Take a signal."""
        if self.number:
            self.on_second()
            os._exit(self.exit_code)
        self.number = number
        self.asked.set()
        if not self._awaited:
            self._cancel()

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Leave the end to the block."""
        self._awaited = True
        try:
            yield
        finally:
            self._awaited = False

    @property
    def exit_code(self) -> int:
        """The exit code that says so."""
        return SIGNALLED + self.number
