"""Work that is carried out although whoever asked for it has gone, or has nothing to do with it."""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any, TypeVar

import structlog
from attrs import define, field

_log = structlog.get_logger()
_T = TypeVar("_T")


def apart(work: Coroutine[Any, Any, _T], *, name: str) -> asyncio.Task[_T]:
    """Begin work that is not of the request that happens to begin it: in no log line, or trace."""
    return asyncio.create_task(work, name=name, context=Context())


@define(eq=False)
class Background:
    """Tasks that must come to their end: half of them done would leave something behind."""

    tasks: set[asyncio.Task[Any]] = field(factory=set)

    async def carry_out(self, work: Coroutine[Any, Any, _T], *, name: str) -> _T:
        """Return what the work gives; if the caller is cancelled, it goes on without him."""
        task = self.start(work, name=name)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_log_failure)
            raise

    def start(self, work: Coroutine[Any, Any, _T], *, name: str) -> asyncio.Task[_T]:
        """Begin the work."""
        return self.hold(asyncio.create_task(work, name=name))

    def hold(self, task: asyncio.Task[_T]) -> asyncio.Task[_T]:
        """Take work over that has begun."""
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def leave(self, work: Coroutine[Any, Any, object], *, name: str) -> None:
        """Begin work that nobody waits for; should it fail, that is logged."""
        self.start(work, name=name).add_done_callback(_log_failure)

    def leave_apart(self, work: Coroutine[Any, Any, object], *, name: str) -> None:
        """Do the same with work that is not of the request that happens to begin it."""
        self.hold(apart(work, name=name)).add_done_callback(_log_failure)

    async def finish(self) -> None:
        """Wait until all of it is done, also what begins meanwhile."""
        while self.tasks:
            await asyncio.wait(self.tasks)


def _log_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("background.failed", task=task.get_name(), error=str(error), exc_info=error)
