import asyncio
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from container_tracer.domain.services.background import Background, apart
from container_tracer.domain.services.open_span import current_span
from container_tracer.domain.services.own_spans import OwnSpans
from container_tracer.fakes.clock import FakeClock


async def slowly(results: list[str], failure: Exception | None = None) -> str:
    for _ in range(5):
        await asyncio.sleep(0)
    if failure:
        raise failure
    results.append("done")
    return "result"


async def test_work_is_carried_out_and_gives_its_result() -> None:
    results: list[str] = []
    assert await Background().carry_out(slowly(results), name="work") == "result"
    with pytest.raises(OSError, match="broken"):
        await Background().carry_out(slowly(results, OSError("broken")), name="work")


async def test_work_goes_on_though_the_caller_is_cancelled() -> None:
    results: list[str] = []
    background = Background()
    caller = asyncio.create_task(background.carry_out(slowly(results), name="work"), name="caller")
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait([caller])
    assert caller.cancelled()
    assert results == []
    await background.finish()
    assert results == ["done"]
    assert background.tasks == set()


@pytest.mark.parametrize("awaited", [True, False])
async def test_what_fails_while_nobody_waits_is_logged(awaited: Any) -> None:
    background = Background()
    with capture_logs() as logs:
        work = slowly([], OSError("broken"))
        if awaited:
            caller = asyncio.create_task(background.carry_out(work, name="work"), name="caller")
            await asyncio.sleep(0)
            caller.cancel()
            await asyncio.wait([caller])
        else:
            background.leave(work, name="work")
        await background.finish()
        await asyncio.sleep(0)
    assert [(one["event"], one["task"], one["error"]) for one in logs] == [
        ("background.failed", "work", "broken")
    ]


async def test_work_apart_is_in_no_request_and_no_span() -> None:
    background, spans = Background(), OwnSpans(clock=FakeClock())
    seen: dict[str, Any] = {}

    async def look(what: str) -> None:
        seen[what] = (current_span(), structlog.contextvars.get_contextvars())

    with structlog.contextvars.bound_contextvars(request_id="7"), spans.span("request") as span:
        background.leave(look("of the request"), name="work")
        background.leave_apart(look("left apart"), name="work")
        background.hold(apart(look("apart"), name="work"))
    await background.finish()
    nothing: tuple[None, dict[str, str]] = (None, {})
    assert seen == {
        "of the request": (span, {"request_id": "7"}),
        "left apart": nothing,
        "apart": nothing,
    }


async def test_finishing_waits_for_work_that_begins_meanwhile() -> None:
    results: list[str] = []
    background = Background()

    async def begin_more() -> None:
        await asyncio.sleep(0)
        background.leave(slowly(results), name="more")

    background.leave(begin_more(), name="first")
    await background.finish()
    assert results == ["done"]
