import asyncio

import pytest

from container_tracer.domain.services.guests.frame_room import HOLD_SECONDS, SMALL_BYTES, FrameRoom
from container_tracer.fakes.clock import FakeClock

LONG = 60_000


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def holding(room: FrameRoom, until: asyncio.Event) -> asyncio.Task[None]:
    async def hold() -> None:
        async with room.reserve(LONG):
            await until.wait()

    return asyncio.create_task(hold())


async def test_those_who_wait_get_room_in_the_order_they_came() -> None:
    room = FrameRoom(total_bytes=2 * LONG, clock=FakeClock())
    ends = [asyncio.Event() for _ in range(4)]
    tasks = [holding(room, end) for end in ends]
    await settle()
    assert room.held_bytes == 2 * LONG
    ends[2].set()
    ends[1].set()
    await settle()
    assert [task.done() for task in tasks] == [False, True, True, False]
    assert room.held_bytes == 2 * LONG
    ends[0].set()
    ends[3].set()
    await asyncio.gather(*tasks)
    assert room.held_bytes == 0


async def test_short_frames_need_no_room() -> None:
    async with FrameRoom(total_bytes=0, clock=FakeClock()).reserve(SMALL_BYTES):
        pass


async def test_who_lets_others_wait_for_too_long_has_to_go() -> None:
    clock = FakeClock()
    room = FrameRoom(total_bytes=LONG, clock=clock)
    slow = holding(room, asyncio.Event())
    await settle()
    clock.advance(HOLD_SECONDS * 100)
    await settle()
    assert not slow.done(), "nobody waits"
    end = asyncio.Event()
    waiting = holding(room, end)
    with pytest.raises(TimeoutError):
        await slow
    end.set()
    await waiting


async def test_who_gives_up_waiting_leaves_the_line() -> None:
    room = FrameRoom(total_bytes=LONG, clock=FakeClock())
    ends = [asyncio.Event() for _ in range(3)]
    first, second, third = (holding(room, end) for end in ends)
    await settle()
    second.cancel()
    ends[0].set()
    ends[2].set()
    await asyncio.gather(first, third)
    assert second.cancelled()
    assert room.held_bytes == 0
