"""Sessions on the real kernel follow their selection: processes come, go, and are all counted."""

import asyncio
import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from container_tracer.domain.model.spans import SpanOutcome

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("kernel")]

ROUNDS = 100
CALLS = 2 * ROUNDS
"""So often the two threads of a child call `getppid`, once in a round."""

INSTANCES = Path("/sys/kernel/tracing/instances")


async def until(condition: Callable[[], object], waiting_for: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {waiting_for}"
        await asyncio.sleep(0.01)


async def until_recorded(node: Any, *tids: int) -> None:
    """Wait until the kernel records tasks."""
    (instance,) = node.instances()
    listed = INSTANCES / instance / "set_event_pid"
    await until(lambda: set(tids) <= set(map(int, listed.read_text().split())), str(tids))


async def changed(node: Any) -> None:
    await node.sessions.inventory.refresh()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def make_calls(workload: Any) -> list[int]:
    """Have a child of a workload make its calls, and return its tids."""
    answer: list[int] = await asyncio.to_thread(workload.tell, f"child {ROUNDS}")
    return answer[1:]


def calls_of(spans: dict[str, Any], tids: list[int]) -> int:
    """Count the rounds that threads made."""
    chosen = (spans["name"] == "getppid") & np.isin(spans["tid"], tids)
    assert set(spans["outcome"][chosen].tolist()) <= {SpanOutcome.RETURNED}
    return int(chosen.sum())


def names(session: Any) -> list[str]:
    return [one.name for one in session.containers]


async def check_balance(node: Any, session: Any) -> None:
    numbers = await node.sessions.statistics(session)
    assert numbers.source.balance == 0
    assert set(numbers.balances.values()) == {0}


async def test_what_begins_later_joins_and_what_ends_is_closed(
    node: Any, run_workload: Any
) -> None:
    first = run_workload(node, "web-1")
    neighbour = run_workload(node, "db")
    session = await node.trace("web-*")
    second = run_workload(node, "web-2", threads=2)
    await changed(node)
    assert names(session) == ["web-1", "web-2"]
    await until_recorded(node, *second.tids())
    tids = {one: await make_calls(one) for one in (first, second, neighbour)}
    second.end()
    await changed(node)
    await until(lambda: session.ended_count, "the end of a container")
    assert (names(session), [one.name for one in session.ended]) == (["web-1"], ["web-2"])
    tids[first] += await make_calls(first)
    await check_balance(node, session)
    await node.stop(session)
    spans = node.columns(session)
    assert calls_of(spans, tids[first]) == 2 * CALLS
    assert calls_of(spans, tids[second]) == CALLS
    assert calls_of(spans, tids[neighbour]) == 0
    await check_balance(node, session)
    rows = session.summary.calls()
    assert {one.container.name for one in rows} == {"web-1", "web-2"}
    assert sum(one.count for one in rows) == session.statistics.spans == len(spans["pid"])


async def test_a_session_waits_for_its_first_process_and_goes_on_after_its_last(
    node: Any, run_workload: Any
) -> None:
    session = await node.trace("web", wait_for_pods=True)
    assert (session.running, session.containers) == (True, ())
    for _ in range(2):
        workload = run_workload(node, "web")
        await changed(node)
        await until_recorded(node, workload.pid)
        await make_calls(workload)
        workload.end()
        await changed(node)
        await until(lambda: not session.containers, "the end of the container")
        assert session.running
    await node.stop(session)
    assert session.ended_count == 2
    spans = node.columns(session)
    assert calls_of(spans, np.unique(spans["tid"]).tolist()) == 2 * CALLS
    await check_balance(node, session)


async def test_a_session_ends_when_its_last_process_has_and_nobody_told(
    node: Any, run_workload: Any
) -> None:
    workload = run_workload(node, "web")
    session = await node.trace("web")
    await make_calls(workload)
    workload.end()
    await until(lambda: not session.running, "the end of the session")
    assert session.reason == "its containers are gone: web/web"
    await check_balance(node, session)


async def test_many_that_come_and_go_leave_nothing_behind(node: Any, run_workload: Any) -> None:
    keeper = run_workload(node, "web-0")
    session = await node.trace("web-*")
    (source,) = node.sources._sources
    rounds, descriptors = 30, 0
    for number in range(1, rounds + 1):
        workload = run_workload(node, f"web-{number}")
        await changed(node)
        await until_recorded(node, workload.pid)
        await make_calls(workload)
        workload.end()
        del node.discovery.leaders[f"web-{number}"]
        await changed(node)
        await until(lambda: len(session.containers) == 1, "the end of the container")
        if number == 10:  # whatever is opened once has been opened
            gc.collect()
            descriptors = open_descriptors()
    await source.follower.look()
    gc.collect()
    # Each workload that ended still has a closed pipe's object, but no descriptor.
    assert open_descriptors() <= descriptors + 2
    assert source.pipeline.shares[session.session_id].containers == {
        source.pipeline.tasks.container_number(session.containers[0])
    }
    assert node.sources._sources == [source]
    await make_calls(keeper)
    await node.stop(session)
    spans = node.columns(session)
    assert calls_of(spans, np.unique(spans["tid"]).tolist()) == CALLS * (rounds + 1)
    await check_balance(node, session)
