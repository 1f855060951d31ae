"""Who watches a session is shown its spans from then on, or told how many were left out."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import pytest
from attrs import define, field
from structlog.testing import capture_logs

from container_tracer.domain.model.hook import TracePlan
from container_tracer.domain.model.selector import ContainerSelector
from container_tracer.domain.model.session import SessionState, TraceSession
from container_tracer.domain.model.session_request import SessionRequest, TooManyWatchers
from container_tracer.domain.model.span_text import json_lines
from container_tracer.domain.model.stats import SessionStats, SourceStats
from container_tracer.domain.services import channel as module
from container_tracer.domain.services import watcher as queue
from container_tracer.domain.services.live import MAX_WATCHERS, LiveSpans
from container_tracer.domain.services.watcher import Dropped, Ended, Heartbeat, Watcher
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.spans import many_spans
from container_tracer.ports.errors import TracingUnavailable


@define
class Metronome(FakeClock):
    """A clock that sleeps until a test lets a second pass."""

    ticks: asyncio.Semaphore = field(factory=lambda: asyncio.Semaphore(0))

    async def sleep(self, seconds: float) -> None:
        await self.ticks.acquire()
        self.advance(seconds)


@define
class Stage:
    """A session, and those who watch it."""

    clock: Metronome
    session: TraceSession
    failure: Exception | None = None
    live: LiveSpans = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.live = LiveSpans(node="worker-1", clock=self.clock, statistics=self.statistics)

    async def statistics(self, session: TraceSession) -> SessionStats:
        if self.failure:
            raise self.failure
        return SessionStats(spans=session.statistics.spans, source=SourceStats(lost=7))

    def watch(self, frame: Any = None) -> AbstractContextManager[Watcher]:
        return self.live.watching(self.session, frame or lines_of)

    def offer(self, count: int) -> None:
        self.session.statistics.spans += count
        self.live.offer(self.session.session_id, many_spans(count))

    def stop(self, reason: str = "stopped by request") -> None:
        self.session.state = SessionState.STOPPED
        self.live.end(self.session, reason)


def lines_of(lines: Sequence[str]) -> bytes:
    return "\n".join(lines).encode()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    session = TraceSession(
        session_id="5",
        request=SessionRequest(selector=ContainerSelector(), hook="trace_syscalls"),
        plan=TracePlan(events=frozenset()),
        state=SessionState.RUNNING,
    )
    clock = Metronome()
    made = Stage(clock, session)
    yield made
    await asyncio.wait_for(made.live.close("the node shut down"), 5)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def rest_of(watcher: Watcher) -> list[Any]:
    """Return all there is to see, up to the end."""
    items: list[Any] = []
    async with asyncio.timeout(10):
        while not items or not isinstance(items[-1], Ended):
            items.append(await watcher.next())
    return items


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0)


def spans_in(items: list[Any]) -> int:
    return sum(len(item.splitlines()) for item in items if isinstance(item, bytes))


def dropped_in(items: list[Any]) -> int:
    return sum(item.spans for item in items if isinstance(item, Dropped))


async def test_spans_are_shown_as_lines_of_json_from_when_one_began_to_watch(stage: Stage) -> None:
    stage.offer(3)
    with stage.watch() as early:
        stage.offer(4)
        with stage.watch() as late:
            stage.offer(5)
            stage.stop()
            shown = await rest_of(early)
            assert spans_in(shown) == 9
            assert spans_in(await rest_of(late)) == 5
    line = json.loads(shown[0].splitlines()[0])
    assert (line["node"], line["name"]) == ("worker-1", "read")


async def test_a_watcher_who_comes_while_others_are_shown_more_is_not_shown_the_past(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = threading.Event(), threading.Event()
    write = module._write

    def slowly(*given: Any) -> Any:
        began.set()
        go_on.wait(10)
        return write(*given)

    monkeypatch.setattr(module, "_write", slowly)
    with stage.watch() as early:
        stage.offer(1000)
        await asyncio.to_thread(began.wait, 10)
        with stage.watch() as late:
            go_on.set()
            stage.offer(5)
            stage.stop()
            assert spans_in(await rest_of(early)) == 1005
            assert spans_in(await rest_of(late)) == 5


async def test_spans_are_written_once_for_all_who_watch(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def counting(batch: Any, **how: Any) -> list[str]:
        written.append(len(batch))
        return json_lines(batch, **how)

    def other_frame(lines: Sequence[str]) -> bytes:
        return lines_of(lines)

    monkeypatch.setattr(module, "json_lines", counting)
    with stage.watch() as a, stage.watch() as b, stage.watch(other_frame) as c:
        stage.offer(100)
        stage.stop()
        one, two, three = [await rest_of(each) for each in (a, b, c)]
    assert written == [100]
    assert one[0] is two[0]
    assert one[0] == three[0]


async def test_nothing_is_written_while_nobody_watches(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "json_lines", None)
    stage.offer(100)
    stage.stop()
    await stage.live.close("")


async def test_of_many_watchers_a_slow_one_loses_his_own_and_nobody_elses(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "QUEUE_BYTES", 300_000)
    with stage.watch() as stuck, stage.watch() as lively:
        reading = asyncio.create_task(rest_of(lively), name="lively")
        offered: list[int] = []
        for _ in range(20):
            offered.append(500)
            stage.offer(500)
            await until(lambda: lively.shown_spans == 500 * len(offered))
        stage.stop()
        shown = await reading
        assert spans_in(shown) == 10_000
        assert dropped_in(shown) == 0
        late = await rest_of(stuck)
        assert 0 < spans_in(late) < 10_000
        assert spans_in(late) + dropped_in(late) == 10_000
        assert stage.live.dropped_spans == stuck.dropped_spans == dropped_in(late)
    assert stage.live.dropped_spans == dropped_in(late)


async def test_what_comes_faster_than_it_is_written_is_dropped_for_all_and_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BACKLOG_BYTES", many_spans(1000).nbytes)
    with stage.watch() as one, stage.watch() as other:
        for _ in range(3):
            stage.offer(700)
        stage.stop()
        for items in (await rest_of(one), await rest_of(other)):
            assert spans_in(items) == 1000
            assert dropped_in(items) == 1100
            assert [type(item) for item in items] == [bytes, bytes, bytes, Dropped, Ended]
            assert items[3].events == 2200


async def test_heartbeats_tell_how_the_run_is(stage: Stage) -> None:
    with stage.watch() as watcher:
        stage.session.statistics.spans = 9
        stage.clock.ticks.release()
        beat = await asyncio.wait_for(watcher.next(), 5)
        assert beat == Heartbeat(wall_ns=stage.clock.wall, spans=9, lost=7, containers=0)


async def test_heartbeats_go_on_where_the_kernel_gives_no_numbers(stage: Stage) -> None:
    stage.failure = TracingUnavailable("no counters")
    with stage.watch() as watcher:
        stage.clock.ticks.release()
        assert isinstance(await asyncio.wait_for(watcher.next(), 5), Heartbeat)


async def test_the_end_says_how_it_ended(stage: Stage) -> None:
    with stage.watch() as watcher:
        stage.session.error = "disk full"
        stage.session.statistics.spans = 4
        stage.stop("its containers are gone")
        (end,) = await rest_of(watcher)
    assert (end.reason, end.error) == ("its containers are gone", "disk full")
    assert (end.state, end.statistics.spans) == (SessionState.STOPPED, 4)


@pytest.mark.parametrize("state", [SessionState.STOPPED, SessionState.FAILED])
async def test_one_that_has_ended_is_at_its_end_at_once(stage: Stage, state: SessionState) -> None:
    stage.session.state, stage.session.reason = state, "stopped by request"
    with stage.watch() as watcher:
        (end,) = await rest_of(watcher)
    assert (end.reason, end.state) == ("stopped by request", state)


async def test_one_that_does_not_run_yet_is_waited_for(stage: Stage) -> None:
    stage.session.state = SessionState.CREATED
    with stage.watch() as watcher:
        stage.session.state = SessionState.RUNNING
        stage.offer(2)
        stage.stop()
        assert spans_in(await rest_of(watcher)) == 2


async def test_a_new_run_is_nothing_to_those_who_watched_the_one_before(stage: Stage) -> None:
    with stage.watch() as before:
        stage.offer(1)
        stage.stop()
        stage.session.state = SessionState.RUNNING
        with stage.watch() as after:
            stage.offer(2)
            stage.stop("again")
            assert spans_in(await rest_of(before)) == 1
            items = await rest_of(after)
            assert spans_in(items) == 2
            assert items[-1].reason == "again"


async def test_whoever_leaves_leaves_nothing_behind(stage: Stage) -> None:
    with stage.watch(), stage.watch():
        stage.offer(5000)
        assert stage.live.watchers == 2
    assert stage.live.watchers == 0
    await asyncio.sleep(0)
    assert [one.get_name() for one in asyncio.all_tasks() if "session 5" in one.get_name()] == []
    with stage.watch() as again:
        stage.offer(2)
        stage.stop()
        assert spans_in(await rest_of(again)) == 2


async def test_there_are_no_more_watchers_than_may_be(stage: Stage) -> None:
    held = [stage.watch() for _ in range(MAX_WATCHERS)]
    for one in held:
        one.__enter__()
    with pytest.raises(TooManyWatchers, match="256"):
        stage.watch().__enter__()
    held.pop().__exit__(None, None, None)
    with stage.watch():
        assert stage.live.watchers == MAX_WATCHERS
    for one in held:
        one.__exit__(None, None, None)


async def test_when_the_node_shuts_down_everybody_is_told(stage: Stage) -> None:
    stage.session.state = SessionState.CREATED
    with stage.watch() as before:
        await stage.live.close("the node shut down")
        with stage.watch() as after:
            for watcher in (before, after):
                (end,) = await rest_of(watcher)
                assert (end.reason, end.state) == ("the node shut down", SessionState.CREATED)


async def test_if_showing_fails_nobody_waits_for_ever(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "json_lines", None)
    with capture_logs() as logs, stage.watch() as watcher:
        stage.offer(1)
        (end,) = await rest_of(watcher)
    assert end.reason == "watching it failed"
    assert [line["event"] for line in logs] == ["watch.failed"]
