"""Sessions share what the kernel records, come and go, and each has exactly its own."""

import asyncio
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("kernel")]

THREADS = 2


async def check_balances(node: Any, *sessions: Any) -> None:
    for session in sessions:
        numbers = await node.sessions.statistics(session)
        assert numbers.source.balance == 0
        assert set(numbers.balances.values()) == {0}
    for balance in (await node.sessions.sources()).values():
        assert balance.balance == 0


def calls(node: Any, session: Any, run: int = -1) -> Counter[int]:
    """Count the getppid calls by thread, of one run of a session."""
    spans = node.columns(session, run)
    chosen = spans["tid"][spans["name"] == "getppid"] if spans else []
    return Counter(np.asarray(chosen).tolist())


def each(tids: list[int], times: int) -> Counter[int]:
    return Counter(dict.fromkeys(tids, times)) if times else Counter()


async def test_sixteen_sessions_share_one_instance(node: Any, run_workload: Any) -> None:
    web = run_workload(node, "web", threads=THREADS)
    sessions = await asyncio.gather(*(node.trace("web") for _ in range(16)))
    assert len(node.instances()) == 1
    web.tell("calls 50")
    await asyncio.gather(*map(node.stop, sessions))
    for session in sessions:
        assert calls(node, session) == each(web.tids()[1:], 50)
    await check_balances(node, *sessions)
    await node.sources.close()
    assert node.instances() == []


async def test_who_needs_more_events_has_an_instance_of_its_own(
    node: Any, run_workload: Any
) -> None:
    web = run_workload(node, "web", threads=THREADS)
    few = await node.trace("web", arguments="-s getppid")
    many = await node.trace("web")
    fewer = await node.trace("web", arguments="-s read")
    assert len(node.instances()) == 2
    web.tell("calls 10")
    for session in (few, many, fewer):
        await node.stop(session)
    assert calls(node, few) == calls(node, many) == each(web.tids()[1:], 10)
    assert set(node.columns(few)["name"]) == {"getppid"}
    assert set(node.columns(fewer)["name"]) == {"read"}
    await check_balances(node, few, many, fewer)


async def test_two_sessions_of_one_container_do_not_end_each_other(
    node: Any, run_workload: Any
) -> None:
    """Also the second run of one whose container another one watches goes on being exact."""
    web, other = (run_workload(node, name, threads=THREADS) for name in ("web", "db"))
    keeper = await node.trace("db")
    one, two = await node.trace("web"), await node.trace("web")
    web.tell("calls 5")
    await node.stop(one)
    web.tell("calls 7")
    await node.stop(two)  # now nobody wants its tasks any more
    web.tell("calls 11")
    other.tell("calls 3")
    await node.sessions.start(one.session_id)
    web.tell("calls 13")
    _, *late = web.tell("thread 4")
    await node.stop(one)
    await node.stop(keeper)
    early = web.tids()[1:]
    assert calls(node, one, 0) == each(early, 5)
    assert calls(node, two) == each(early, 12)
    assert calls(node, one, 1) == each(early, 13) + each(late, 4)
    assert calls(node, keeper) == each(other.tids()[1:], 3)
    await check_balances(node, keeper, one, two)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_sessions_that_come_and_go_each_have_exactly_their_own(
    node: Any, run_workload: Any, seed: int
) -> None:
    """Between runs of a known number of calls, sessions start and stop as dice say."""
    dice = random.Random(seed)  # noqa: S311
    loads = {name: run_workload(node, name, threads=THREADS) for name in ("a", "b")}
    early = {name: load.tids()[1:] for name, load in loads.items()}
    await node.trace("a", "b")
    wanted = [dice.choice([("a",), ("b",), ("a", "b")]) for _ in range(4)]
    sessions = [await node.trace(*names) for names in wanted]
    expected: list[Counter[int]] = [Counter() for _ in wanted]
    for _ in range(25):
        number = dice.randrange(len(sessions))
        session, name = sessions[number], dice.choice(["a", "b"])
        if dice.random() < 0.5:
            if session.running:
                await node.stop(session)
                assert calls(node, session) == expected[number]
            else:
                await node.sessions.start(session.session_id)
                expected[number] = Counter()
        line = dice.choice(["calls 5", "thread 3", "child 2", "storm 9 2"])
        _, *tids = await asyncio.to_thread(loads[name].tell, line)
        made = each(tids or early[name], int(line.split()[-1]))
        for one, names, counted in zip(sessions, wanted, expected, strict=True):
            if one.running and name in names:
                counted.update(made)
        assert len(node.instances()) == 1
    await check_balances(node, *node.sessions.list())
    for session, counted in zip(sessions, expected, strict=True):
        await node.stop(session)
        assert calls(node, session) == counted
    await check_balances(node, *node.sessions.list())


@pytest.mark.parametrize("seed", [4, 5])
async def test_nobody_notices_others_that_come_and_go_under_load(
    node: Any, run_workload: Any, seed: int
) -> None:
    """Sessions start and stop while the calls go on; one that stays has all of them."""
    dice = random.Random(seed)  # noqa: S311
    loads = {name: run_workload(node, name, threads=THREADS) for name in ("a", "b")}
    stays = await node.trace("a", "b")
    for load in loads.values():
        load.tell("pace")
    sessions = [await node.trace(*names) for names in [("a",), ("b",), ("a", "b"), ("b",)]]
    tids = [{"a"}, {"b"}, {"a", "b"}, {"b"}]
    for _ in range(20):
        number = dice.randrange(len(sessions))
        session = sessions[number]
        if session.running:
            await node.stop(session)
            own = {tid for name in tids[number] for tid in loads[name].tids()}
            assert set(calls(node, session)) <= own
        else:
            await node.sessions.start(session.session_id)
        await asyncio.sleep(dice.choice([0, 0.03]))
        await check_balances(node, stays, session)
    rounds = {name: load.tell("stop")[0] for name, load in loads.items()}
    for session in (*sessions, stays):
        await node.stop(session)
    await check_balances(node, *sessions, stays)
    made, lost = calls(node, stays), stays.statistics.source.lost
    for name, load in loads.items():
        seen = sum(made[tid] for tid in load.tids())
        assert seen <= rounds[name]
        assert seen == rounds[name] or lost
