"""A session with a lease lives as long as somebody asks for it, and no longer."""

import asyncio
from typing import Any

import pytest
from attrs import define, field

from container_tracer.domain.services.leases import Leases
from container_tracer.fakes.clock import FakeClock

SECOND = 1_000_000_000


class Told(FakeClock):
    """Time that passes only when it is told to."""

    async def sleep(self, seconds: float) -> None:
        until = self.trace + round(seconds * SECOND)
        while self.trace < until:  # noqa: ASYNC110 - nobody tells when time passes
            await asyncio.sleep(0)


@define
class Desk:
    """Leases, their time, and who was given up."""

    clock: Told = field(factory=Told)
    gone: list[str] = field(factory=list)
    leases: Leases = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.leases = Leases(clock=self.clock, give_up=self.give_up)

    async def give_up(self, session_id: str) -> None:
        self.gone.append(session_id)

    async def after(self, seconds: float) -> list[str]:
        """Let time pass, and tell who is gone."""
        self.clock.advance(seconds)
        for _ in range(5):
            await asyncio.sleep(0)
        return self.gone


@pytest.fixture
async def desk() -> Any:
    desk = Desk()
    desk.leases.begin("1", 10 * SECOND)
    await desk.after(0)
    yield desk
    desk.leases.close()


async def test_one_that_nobody_asks_for_is_given_up_once(desk: Desk) -> None:
    assert await desk.after(9) == []
    assert await desk.after(1) == ["1"]
    assert await desk.after(100) == ["1"]


async def test_one_that_is_asked_for_lives_on(desk: Desk) -> None:
    for _ in range(5):
        await desk.after(9)
        desk.leases.renew("1")
    assert await desk.after(9) == []
    assert await desk.after(1) == ["1"]


async def test_one_that_is_held_lives_until_its_time_after_that(desk: Desk) -> None:
    with desk.leases.holding("1"):
        with desk.leases.holding("1"):
            assert await desk.after(50) == []
        assert await desk.after(50) == []
    assert await desk.after(9) == []
    assert await desk.after(11) == ["1"]


async def test_one_without_a_lease_lives_for_ever(desk: Desk) -> None:
    desk.leases.begin("2", 0)
    desk.leases.renew("2")
    with desk.leases.holding("2"):
        pass
    assert await desk.after(10**6) == ["1"]


async def test_one_that_has_ended_is_not_given_up(desk: Desk) -> None:
    desk.leases.end("1")
    assert await desk.after(100) == []


async def test_nothing_is_given_up_after_the_close(desk: Desk) -> None:
    desk.leases.close()
    assert await desk.after(100) == []


async def test_a_session_that_nobody_asks_for_leaves_nothing_behind(world: Any) -> None:
    world.container("web", 100)
    await world.sessions.create(world.request(lease_ns=30 * SECOND))
    await world.until(lambda: not world.sessions.list())
    await world.gone()
    assert [one["event"] for one in world.logs if "lease" in one["event"]] == ["session.lease_over"]
