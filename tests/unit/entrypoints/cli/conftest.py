"""Commands run in the test's own event loop, with output that is kept."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest
from attrs import Factory, define, field

from container_tracer.entrypoints.cli.command import Invocation
from container_tracer.entrypoints.cli.command_line import parse
from container_tracer.entrypoints.cli.commands import COMMANDS
from container_tracer.entrypoints.cli.output import Output
from container_tracer.entrypoints.cli.stopping import Stop


class Shown(io.StringIO):
    """A stream in memory that can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.written = asyncio.Event()

    def write(self, text: str) -> int:
        self.written.set()
        return super().write(text)

    async def until(self, text: str) -> None:
        while text not in self.getvalue():
            self.written.clear()
            await self.written.wait()


@define
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


@define
class Commands:
    """Runs commands against one server, or what `server` names; `stop` takes signals."""

    url: str
    environ: dict[str, str] = field(factory=dict)
    stop: Stop = field(factory=Stop)
    out: Shown = field(factory=Shown)
    err: io.StringIO = field(factory=io.StringIO)
    server: tuple[str, ...] = field(default=Factory(lambda it: ("--server", it.url), True))

    async def run(self, *argv: str) -> Ran:
        parsed = parse([*self.server, *argv], self.environ, COMMANDS)
        output = Output(form=parsed.form, stream=self.out, errors=self.err)
        invocation = Invocation(
            options=parsed.options,
            hook_arguments=parsed.hook_arguments,
            output=output,
            server=parsed.server,
            environ=self.environ,
            stop=self.stop,
        )
        code = await parsed.command.run(invocation)
        return Ran(code, self.out.getvalue(), self.err.getvalue())


RunCommand: TypeAlias = Callable[..., Awaitable[Ran]]


@pytest.fixture
def commands(tracer_api: Any) -> Commands:
    return Commands(tracer_api.url)
