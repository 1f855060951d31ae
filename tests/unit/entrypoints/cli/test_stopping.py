"""The first signal is a wish, the second an order."""

import asyncio
import os
import signal

import pytest

from container_tracer.entrypoints.cli import stopping
from container_tracer.entrypoints.cli.stopping import Stop


async def forever() -> int:
    await asyncio.Event().wait()
    return 0


async def test_a_command_that_does_not_wait_for_it_is_cancelled() -> None:
    task, stop = asyncio.create_task(forever()), Stop()
    stop.listen(task)
    try:
        stop.take(signal.SIGTERM)
        with pytest.raises(asyncio.CancelledError):
            await task
    finally:
        for number in stopping.SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)
    assert stop.exit_code == 143


async def test_one_that_waits_for_it_ends_by_itself() -> None:
    cancelled: list[bool] = []
    stop = Stop(cancel=lambda: cancelled.append(True))
    with stop.awaited():
        stop.take(signal.SIGINT)
        await stop.asked.wait()
    assert cancelled == []
    assert stop.exit_code == 130


def test_the_second_ends_the_program_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(os, "_exit", told.append)
    stop = Stop(on_second=lambda: told.append("session 7 may be there still"))
    stop.take(signal.SIGINT)
    assert told == []
    stop.take(signal.SIGTERM)
    assert told == ["session 7 may be there still", 130]
