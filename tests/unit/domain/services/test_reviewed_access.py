"""A cluster is asked who may do what: not more often than needed, and never guessed for."""

import asyncio

import pytest
from attrs import define, field

from container_tracer.domain.model.access import (
    AccessQuestion,
    Action,
    Identity,
    Unauthenticated,
)
from container_tracer.domain.model.access_reviews import ReviewedAccess
from container_tracer.domain.services.remembered import Remembered
from container_tracer.domain.services.reviewed_access import ReviewedAccessControl
from container_tracer.fakes.access_reviews import FakeAccessReviews
from container_tracer.fakes.clock import FakeClock
from container_tracer.ports.errors import AccessUndecided

JANE = Identity(name="jane", groups=("dev",))
IN_SHOP = ReviewedAccess(verb="create", resource="tracesessions", namespace="shop")
EVERYWHERE = ReviewedAccess(verb="create", resource="tracesessions")
SYSCALLS = ReviewedAccess(verb="use", resource="tracehooks", name="trace_syscalls")
QUESTION = AccessQuestion(
    action=Action.CREATE,
    hooks=frozenset({"trace_syscalls", "trace_exec"}),
    namespaces=frozenset({"shop", "bank"}),
)


@define
class World:
    reviews: FakeAccessReviews = field(
        factory=lambda: FakeAccessReviews(
            tokens={"t0ken": JANE}, grants={"jane": [IN_SHOP, SYSCALLS]}
        )
    )
    clock: FakeClock = field(factory=FakeClock)
    access: ReviewedAccessControl = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.access = ReviewedAccessControl(reviews=self.reviews, clock=self.clock)


@pytest.fixture
def world() -> World:
    return World()


async def test_only_what_is_granted_is_allowed(world: World) -> None:
    rights = await world.access.rights(JANE, QUESTION)
    assert (rights.hooks, rights.namespaces) == (("trace_syscalls",), ("shop",))


async def test_what_is_granted_for_the_whole_cluster_needs_no_names(world: World) -> None:
    world.reviews.grants = {"jane": [EVERYWHERE]}
    rights = await world.access.rights(JANE, QUESTION)
    assert (rights.hooks, rights.namespaces) == ((), ("*",))
    named = [one.namespace for one in world.reviews.asked if isinstance(one, ReviewedAccess)]
    assert set(named) == {""}


async def test_another_action_is_another_question(world: World) -> None:
    assert (await world.access.rights(JANE, QUESTION)).namespaces == ("shop",)
    delete = AccessQuestion(action=Action.DELETE, namespaces=frozenset({"shop"}))
    assert (await world.access.rights(JANE, delete)).namespaces == ()


async def test_names_that_would_be_patterns_are_never_granted(world: World) -> None:
    asked = AccessQuestion(action=Action.CREATE, hooks=frozenset({"*", "trace_?"}))
    world.reviews.grants = {
        "jane": [ReviewedAccess(verb="use", resource="tracehooks", name=one) for one in asked.hooks]
    }
    assert (await world.access.rights(JANE, asked)).hooks == ()


async def test_what_is_known_is_not_asked_again_for_a_minute(world: World) -> None:
    for _ in range(3):
        await world.access.identify("t0ken")
    world.clock.advance(59)
    await world.access.identify("t0ken")
    assert world.reviews.asked == ["t0ken"]
    world.reviews.tokens = {}
    world.clock.advance(1)
    with pytest.raises(Unauthenticated, match="Kubernetes does not know"):
        await world.access.identify("t0ken")


async def test_what_is_refused_is_asked_again_after_ten_seconds(world: World) -> None:
    with pytest.raises(Unauthenticated):
        await world.access.identify("new")
    world.reviews.tokens = {"new": JANE}
    world.clock.advance(9)
    with pytest.raises(Unauthenticated):
        await world.access.identify("new")
    world.clock.advance(1)
    assert await world.access.identify("new") == JANE
    assert world.reviews.asked == ["new", "new"]


async def test_a_cluster_that_is_away_lets_nobody_in_but_those_it_let_in_just_before(
    world: World,
) -> None:
    await world.access.identify("t0ken")
    world.reviews.away = True
    assert await world.access.identify("t0ken") == JANE
    with pytest.raises(AccessUndecided):
        await world.access.identify("other")
    with pytest.raises(AccessUndecided):
        await world.access.rights(JANE, QUESTION)
    world.reviews.away = False
    assert (await world.access.rights(JANE, QUESTION)).namespaces == ("shop",)


async def test_who_asks_the_same_at_once_shares_one_question(world: World) -> None:
    await asyncio.gather(*(world.access.identify("t0ken") for _ in range(50)))
    assert world.reviews.asked == ["t0ken"]


async def test_one_who_hangs_up_spoils_it_for_nobody(world: World) -> None:
    first = asyncio.create_task(world.access.identify("t0ken"))
    second = asyncio.create_task(world.access.identify("t0ken"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == JANE


async def test_a_flood_of_tokens_holds_up_nothing_but_itself(world: World) -> None:
    flood = [world.access.identify(f"made-up-{n}") for n in range(2000)]
    rights = world.access.rights(JANE, QUESTION)
    *refused, allowed = await asyncio.gather(*flood, rights, return_exceptions=True)
    assert allowed == await world.access.rights(JANE, QUESTION)
    kinds = [type(one) for one in refused]
    assert kinds.count(Unauthenticated) == 512
    assert kinds.count(AccessUndecided) == 2000 - 512


async def test_it_hangs_up_when_it_is_closed(world: World) -> None:
    await world.access.close()
    assert world.reviews.closed


async def test_only_so_much_is_remembered() -> None:
    kept: Remembered[int, int] = Remembered(clock=FakeClock(), keep_seconds=lambda _: 60.0, most=3)

    async def answer() -> int:
        return 1

    for key in range(10):
        await kept.get(key, answer)
    assert kept.count == 3
