"""A watcher's queue: bounded, in order, and honest about what it had to leave out."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from container_tracer.domain.model.pod import Container
from container_tracer.domain.model.session import SessionState
from container_tracer.domain.model.stats import SessionStats
from container_tracer.domain.services import watcher as module
from container_tracer.domain.services.watcher import (
    Chunk,
    ContainerNews,
    Dropped,
    Ended,
    Heartbeat,
    Watcher,
)

END = Ended(
    reason="deleted", state=SessionState.STOPPED, error="", statistics=SessionStats(spans=3)
)
BEAT = Heartbeat(wall_ns=1, spans=2, lost=0, containers=1)


def frame(lines: Sequence[str]) -> bytes:
    return "".join(lines).encode()


def chunk(text: bytes, spans: int = 1) -> Chunk:
    return Chunk(texts={frame: text}, spans=spans, events=2 * spans)


@pytest.fixture
def watcher(monkeypatch: pytest.MonkeyPatch) -> Watcher:
    monkeypatch.setattr(module, "QUEUE_BYTES", 10)
    return Watcher(frame=frame)


async def shown(watcher: Watcher, count: int) -> list[Any]:
    async with asyncio.timeout(5):
        return [await watcher.next() for _ in range(count)]


async def test_what_comes_is_shown_in_order(watcher: Watcher) -> None:
    watcher.offer(chunk(b"one"))
    watcher.offer(chunk(b"two"))
    watcher.end(END)
    assert await shown(watcher, 3) == [b"one", b"two", END]
    assert watcher.shown_spans == 2


async def test_what_does_not_fit_is_dropped_whole_and_told_in_its_place(watcher: Watcher) -> None:
    watcher.offer(chunk(b"12345678"))
    watcher.offer(chunk(b"abc", spans=5))
    watcher.offer(chunk(b"de"))
    assert await shown(watcher, 3) == [b"12345678", Dropped(5, 10), b"de"]
    assert (watcher.shown_spans, watcher.dropped_spans) == (2, 5)


async def test_all_that_is_left_out_in_one_place_is_told_at_once(watcher: Watcher) -> None:
    watcher.offer(chunk(b"1234567890"))
    for _ in range(1000):
        watcher.offer(chunk(b"x", spans=3))
    assert await shown(watcher, 2) == [b"1234567890", Dropped(3000, 6000)]
    watcher.offer(chunk(b"y"))
    assert await shown(watcher, 1) == [b"y"]


async def test_room_comes_back_as_it_reads(watcher: Watcher) -> None:
    for _ in range(50):
        watcher.offer(chunk(b"1234567890"))
        assert await shown(watcher, 1) == [b"1234567890"]
    assert watcher.dropped_spans == 0


async def test_of_heartbeats_only_the_latest_waits(watcher: Watcher) -> None:
    watcher.offer(chunk(b"text"))
    watcher.beat(BEAT)
    watcher.beat(latest := Heartbeat(wall_ns=2, spans=4, lost=1, containers=1))
    assert await shown(watcher, 2) == [latest, b"text"]


async def test_nothing_comes_after_the_end(watcher: Watcher) -> None:
    watcher.beat(BEAT)
    watcher.end(END)
    assert await shown(watcher, 1) == [END]


async def test_whoever_waits_is_woken(watcher: Watcher) -> None:
    waiting = asyncio.create_task(watcher.next(), name="waiting")
    await asyncio.sleep(0)
    watcher.beat(BEAT)
    assert await asyncio.wait_for(waiting, 5) == BEAT


NEWS = ContainerNews(container=Container(name="app", pod="web"), joined=True, running=1)


async def test_news_of_containers_come_in_order_with_spans(watcher: Watcher) -> None:
    module.QUEUE_BYTES = 2 * module.NEWS_BYTES  # the fixture puts it back
    watcher.offer(chunk(b"one"))
    watcher.tell(NEWS)
    watcher.offer(chunk(b"two"))
    assert await shown(watcher, 3) == [b"one", NEWS, b"two"]


async def test_news_that_find_no_room_are_left_out_until_there_is(watcher: Watcher) -> None:
    module.QUEUE_BYTES = module.NEWS_BYTES
    watcher.tell(NEWS)
    watcher.tell(NEWS)
    assert await shown(watcher, 1) == [NEWS]
    watcher.tell(NEWS)
    watcher.end(END)
    assert await shown(watcher, 2) == [NEWS, END]
