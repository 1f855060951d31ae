"""Sessions on the real kernel see exactly what their processes did, and say what they lost."""

import asyncio
import errno
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from container_tracer.domain.model.spans import SpanOutcome

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("kernel")]

ROUND = {"read": 2, "write": 1, "openat": 2, "close": 1, "lseek": 1, "getppid": 1}
BAD_FILE = 2**64 - 1
INSTANCES = Path("/sys/kernel/tracing/instances")


def counts(spans: dict[str, Any], chosen: Any) -> dict[str, int]:
    names, numbers = np.unique(spans["name"][chosen], return_counts=True)
    return dict(zip(names.tolist(), numbers.tolist(), strict=True))


def of_rounds(rounds: int) -> dict[str, int]:
    return {name: times * rounds for name, times in ROUND.items()}


def check_results(spans: dict[str, Any], parents: set[int]) -> None:
    """See that every call returned what it must."""
    assert set(spans["outcome"].tolist()) == {SpanOutcome.RETURNED}
    assert (spans["end_ns"] >= spans["start_ns"]).all()
    name, result, first = spans["name"], spans["result"], spans["arguments"][:, 0]
    nowhere = (name == "read") & (first.astype(np.uint32) == BAD_FILE & 0xFFFFFFFF)
    assert set(result[nowhere].tolist()) == {-errno.EBADF}
    assert set(result[(name == "read") & ~nowhere].tolist()) == {7}
    assert set(result[name == "write"].tolist()) == {5}
    failed = (name == "openat") & (result < 0)
    assert failed.sum() * 2 == (name == "openat").sum()
    assert set(result[failed].tolist()) == {-errno.ENOENT}
    seeks = name == "lseek"
    assert (result[seeks] == spans["arguments"][seeks, 1].astype(np.int64)).all()
    assert set(result[name == "getppid"].tolist()) <= parents


def pick(spans: dict[str, Any], chosen: Any) -> dict[str, Any]:
    return {name: column[chosen] for name, column in spans.items()}


def listed(path: Path) -> set[int]:
    return {int(word) for word in path.read_text().split() if word.isdecimal()}


async def check_balance(node: Any, session: Any) -> None:
    numbers = await node.sessions.statistics(session)
    assert numbers.source.balance == 0
    assert set(numbers.balances.values()) == {0}


async def test_every_call_of_every_thread_and_process_is_a_span(
    node: Any, run_workload: Any
) -> None:
    """Threads from before, threads and processes made later; nothing of a busy neighbour."""
    web = run_workload(node, "web", threads=3)
    neighbour = run_workload(threads=1)
    neighbour.tell("spin")
    session = await node.trace("web")
    early = web.tids()[1:]
    expected = dict.fromkeys(early, 400)
    web.tell("calls 400")
    for line in ("thread 200", "child 100", "child 100"):
        _, *tids = await asyncio.to_thread(web.tell, line)
        expected |= dict.fromkeys(tids, int(line.split()[1]))
    await node.stop(session)
    neighbour.tell("stop")

    spans = node.columns(session)
    assert session.statistics.source.lost == 0
    for tid, rounds in expected.items():
        assert counts(spans, spans["tid"] == tid) == of_rounds(rounds)
    # The first thread only reads what it is told, byte by byte, and answers.
    others = pick(spans, ~np.isin(spans["tid"], list(expected)))
    assert set(others["tid"].tolist()) == {web.pid}
    assert set(others["name"].tolist()) == {"read", "write"}
    workers = pick(spans, np.isin(spans["tid"], list(expected)))
    check_results(workers, {web.pid, *others["pid"].tolist(), session_parent(web)})
    pids = {tid: set(spans["pid"][spans["tid"] == tid].tolist()) for tid in expected}
    assert all(pids[tid] == {web.pid} for tid in early)
    assert all(len(one) == 1 for one in pids.values())
    await check_balance(node, session)


def session_parent(workload: Any) -> int:
    """Return whose child the workload is."""
    with open(f"/proc/{workload.pid}/stat", encoding="ascii") as stat:  # noqa: PTH123
        return int(stat.read().rpartition(")")[2].split()[1])


async def test_a_storm_of_short_processes_is_attributed_to_the_last_one(
    node: Any, run_workload: Any
) -> None:
    web = run_workload(node, "web")
    session = await node.trace("web")
    _, *tids = await asyncio.to_thread(web.tell, "storm 2000 3")
    await node.stop(session)
    assert session.statistics.source.lost == 0
    assert len(tids) == 2000
    spans = node.columns(session)
    made = counts(spans, np.isin(spans["tid"], tids))
    assert made == of_rounds(2000 * 3)
    assert set(spans["tid"].tolist()) == {*tids, web.pid}
    await check_balance(node, session)


async def test_the_numbers_are_those_of_the_kernels_own_counters(
    node: Any, run_workload: Any
) -> None:
    web = run_workload(node, "web", threads=2)
    session = await node.trace("web")
    web.tell("calls 2000")
    await node.sources._sources[0].runner.drain()
    numbers = await node.sessions.statistics(session)
    kernel = node.kernel_counters()
    (balance,) = (await node.sessions.sources()).values()
    assert balance.recorded == sum(one.recorded for one in kernel)
    assert balance.lost == sum(one.lost for one in kernel) == 0
    assert balance.balance == numbers.source.balance == 0
    assert numbers.attributed == sum(numbers.attributed_by_cpu.values())
    assert numbers.attributed >= 2 * 2 * 2000 * sum(ROUND.values())
    assert set(numbers.balances.values()) == {0}
    assert balance.attributed + balance.unattributed == sum(one.read for one in kernel)


@pytest.mark.parametrize("buffer_kib", [4, 64])
async def test_what_is_lost_is_counted_and_no_span_bridges_the_gap(
    make: Any, run_workload: Any, buffer_kib: int
) -> None:
    node = make(buffer_kib=buffer_kib)
    web = run_workload(node, "web", threads=2)
    session = await node.trace("web")
    (source,) = node.sources._sources
    for _ in range(3):
        async with source.runner.lock:  # nobody drains meanwhile
            await asyncio.to_thread(web.tell, "calls 2000")
        await source.runner.drain()
    await check_balance(node, session)
    kernel = node.kernel_counters()
    numbers = await node.sessions.statistics(session)
    assert numbers.source.lost == sum(one.lost for one in kernel) > 0
    await node.stop(session)

    spans = node.columns(session)
    whole = pick(spans, spans["outcome"] == SpanOutcome.RETURNED)
    seeks = whole["name"] == "lseek"
    assert (whole["result"][seeks] == whole["arguments"][seeks, 1].astype(np.int64)).all()
    assert SpanOutcome.LOST in spans["outcome"]
    rounds = np.unique(whole["arguments"][seeks, 1])
    assert len(rounds) == seeks.sum()
    assert (whole["end_ns"] >= whole["start_ns"]).all()
    assert numbers.incomplete_spans > 0
    await check_balance(node, session)


async def test_a_session_that_starts_in_the_middle_of_calls_says_which_ends_it_saw(
    node: Any, run_workload: Any
) -> None:
    web = run_workload(node, "web")
    web.wait_until_idle()
    session = await node.trace("web")
    web.tell("thread 1")
    web.wait_until_idle()
    await node.stop(session)
    spans = node.columns(session)
    mine = spans["tid"] == web.pid
    outcomes = spans["outcome"][mine & (spans["name"] == "read")].tolist()
    # It waited for a line before, and waits for the next one after.
    assert outcomes[0] == SpanOutcome.BEGAN_BEFORE
    assert outcomes[-1] == SpanOutcome.UNFINISHED
    assert set(outcomes[1:-1]) == {SpanOutcome.RETURNED}


async def test_two_processes_in_one_container_and_one_that_comes_later(
    node: Any, run_workload: Any
) -> None:
    """What comes into a container by another way than a fork is found within seconds."""
    web = run_workload(node, "web")
    session = await node.trace("web")
    late = run_workload(node, "web", threads=1)
    (source,) = node.sources._sources
    await source.follower.look()
    late.tell("calls 50")
    web.tell("thread 20")
    await node.stop(session)
    spans = node.columns(session)
    assert counts(spans, spans["tid"] == late.tids()[1]) == of_rounds(50)


async def test_a_stranger_with_the_tid_of_a_dead_task_is_not_recorded_for_long(
    node: Any, run_workload: Any
) -> None:
    """The kernel keeps on its list a tid that was followed just after its task had ended."""
    web, stranger = run_workload(node, "web", threads=1), run_workload(threads=1)
    session = await node.trace("web")
    (source,) = node.sources._sources
    tids = stranger.tids()
    await asyncio.to_thread(source.pipeline.source.follow, tids)
    folder = INSTANCES / source.name
    stranger.tell("pace")
    deadline = time.monotonic() + 20
    while listed(folder / "set_event_notrace_pid") != set(tids[1:]):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    stranger.tell("stop")
    web.tell("calls 10")
    await node.stop(session)
    spans = node.columns(session)
    assert counts(spans, spans["tid"] == web.tids()[1]) == of_rounds(10)
    assert not np.isin(spans["tid"], tids).any()
    assert session.statistics.source.unattributed > 0
    await check_balance(node, session)


async def test_a_storm_during_many_looks_leaves_no_ghosts(node: Any, run_workload: Any) -> None:
    web = run_workload(node, "web")
    session = await node.trace("web")
    (source,) = node.sources._sources
    storm = asyncio.create_task(asyncio.to_thread(web.tell, "storm 1500 2"), name="storm")
    while not storm.done():
        await source.follower.look()
    _, *tids = storm.result()
    await source.follower.look()
    await source.runner.drain()
    assert source.pipeline.tasks.tids(0) == {web.pid}
    await node.stop(session)
    spans = node.columns(session)
    assert counts(spans, np.isin(spans["tid"], tids)) == of_rounds(1500 * 2)
    await check_balance(node, session)


async def test_children_the_kernel_forgot_while_it_was_told_of_others_are_told_of_again(
    node: Any, run_workload: Any
) -> None:
    web, other = run_workload(node, "web"), run_workload()
    await node.trace("web")
    (source,) = node.sources._sources
    kernel = source.pipeline.source
    forks = "read _; for i in $(seq 1500); do sleep 100 & done; echo done; wait"
    maker: Any = subprocess.Popen(  # noqa: ASYNC220 - it takes no time
        ["sh", "-c", forks], start_new_session=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    node.discovery.leaders["web"].add(maker.pid)
    try:
        await source.follower.look()
        maker.stdin.write(b"\n")
        maker.stdin.flush()
        made = asyncio.create_task(asyncio.to_thread(maker.stdout.readline), name="made")
        while not made.done():
            await asyncio.to_thread(kernel.follow, [other.pid])
        node.discovery.leaders["web"].add(other.pid)
        await source.follower.look()
        assert children_of(maker.pid) | {web.pid, other.pid, maker.pid} <= kernel.following()
    finally:
        os.killpg(maker.pid, signal.SIGKILL)
        maker.communicate()


def children_of(pid: int) -> set[int]:
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
