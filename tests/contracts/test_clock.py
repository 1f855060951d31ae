import asyncio

import pytest

from container_tracer.adapters.system.clock import SystemClock
from container_tracer.fakes.clock import FakeClock
from container_tracer.ports.clock import Clock


@pytest.fixture(params=[SystemClock, FakeClock])
def clock(request: pytest.FixtureRequest) -> Clock:
    made: Clock = request.param()
    return made


class TestClock:
    async def test_both_clocks_have_passed_at_least_the_time_slept(self, clock: Clock) -> None:
        trace_ns, wall_ns = clock.trace_ns(), clock.wall_ns()
        await clock.sleep(0.01)
        assert clock.trace_ns() - trace_ns >= 10_000_000
        # The wall clock may be set meanwhile; a tenth is enough to know it runs.
        assert clock.wall_ns() - wall_ns >= 1_000_000

    def test_the_trace_clock_never_goes_back(self, clock: Clock) -> None:
        readings = [clock.trace_ns() for _ in range(100)]
        assert readings == sorted(readings)

    def test_the_wall_clock_counts_nanoseconds_since_1970(self, clock: Clock) -> None:
        year_2020, year_2200 = 1_577_836_800 * 10**9, 7_258_118_400 * 10**9
        assert year_2020 < clock.wall_ns() < year_2200

    async def test_others_have_their_turn_during_a_sleep(self, clock: Clock) -> None:
        turns: list[int] = []
        asyncio.get_running_loop().call_soon(turns.append, 1)
        await clock.sleep(0.001)
        assert turns == [1]


async def test_the_fake_clock_stands_still_but_for_sleeps() -> None:
    clock = FakeClock(trace=5, wall=7)
    assert (clock.trace_ns(), clock.trace_ns(), clock.wall_ns()) == (5, 5, 7)
    await clock.sleep(3600)
    assert (clock.trace_ns(), clock.wall_ns()) == (5 + 3600 * 10**9, 7 + 3600 * 10**9)
    clock.wall = 1
    assert clock.wall_ns() == 1
