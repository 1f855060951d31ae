"""What somebody's rights make of what he asks for, whoever decides about them."""

import pytest
from attrs import define, field

from container_tracer.domain.model.access import Action, Forbidden, Identity
from container_tracer.domain.model.access_reviews import ReviewedAccess
from container_tracer.domain.model.pod import Container, Pod
from container_tracer.domain.model.selector import ContainerSelector, NoMatchingContainer
from container_tracer.domain.model.session_request import SessionRequest
from container_tracer.domain.services.open_access import ANYBODY, OpenAccess
from container_tracer.domain.services.permissions import Permissions
from container_tracer.domain.services.reviewed_access import ReviewedAccessControl
from container_tracer.fakes.access_reviews import FakeAccessReviews
from container_tracer.fakes.clock import FakeClock

PODS = [Pod(name=f"web-{one}", namespace=one) for one in ("shop", "bank", "")]


@define
class Made:
    """A session, as far as permissions are about it."""

    request: SessionRequest
    session_id: str = "7"


def wanted(*, pod: str = "*", namespace: str = "*") -> SessionRequest:
    selector = ContainerSelector(pod=pod, namespace=namespace)
    return SessionRequest(selector=selector, hook="trace_syscalls")


def sessions_in(namespace: str, *verbs: str) -> list[ReviewedAccess]:
    return [
        ReviewedAccess(verb=verb, resource="tracesessions", namespace=namespace) for verb in verbs
    ]


@define
class World:
    """Somebody whom a cluster grants the use of all hooks, and what a test says."""

    granted: list[ReviewedAccess] = field(factory=list)
    reviews: FakeAccessReviews = field(factory=FakeAccessReviews)

    def permissions(self, *granted: ReviewedAccess) -> Permissions:
        use = ReviewedAccess(verb="use", resource="tracehooks")
        self.reviews.grants = {"jane": [use, *granted]}
        access = ReviewedAccessControl(reviews=self.reviews, clock=FakeClock())
        return Permissions(access=access, identity=Identity(name="jane"))


@pytest.fixture
def world() -> World:
    return World()


async def test_a_session_is_kept_to_namespaces_that_are_granted(world: World) -> None:
    jane = world.permissions(*sessions_in("shop", "create"))
    narrowed = await jane.narrow(wanted(), PODS)
    assert narrowed.selector.within == ("shop",)
    assert not narrowed.selector.matches(Container(name="c", pod="p", namespace="bank"))
    assert (await jane.narrow(wanted(namespace="s*"), PODS)).selector.within == ("shop",)


async def test_a_namespace_that_is_named_need_not_have_pods_yet(world: World) -> None:
    jane = world.permissions(*sessions_in("new", "create"))
    assert (await jane.narrow(wanted(namespace="new"), PODS)).selector.within == ("new",)
    with pytest.raises(Forbidden, match="namespace 'shop'"):
        await jane.narrow(wanted(namespace="shop"), PODS)


async def test_where_nothing_that_is_here_is_granted_nothing_matches(world: World) -> None:
    jane = world.permissions(*sessions_in("elsewhere", "create"))
    with pytest.raises(NoMatchingContainer, match="to wait for pods, name a namespace"):
        await jane.narrow(wanted(), PODS)


async def test_what_every_node_would_forbid_is_forbidden_early(world: World) -> None:
    jane = world.permissions(*sessions_in("shop", "create"))
    await jane.check_early(wanted())
    await jane.check_early(wanted(namespace="shop"))
    await jane.check_early(wanted(namespace="ban*"))
    with pytest.raises(Forbidden, match="namespace 'bank'"):
        await jane.check_early(wanted(pod="bank/web"))
    world.reviews.grants = {}
    john = Permissions(access=jane.access, identity=Identity(name="john"))
    with pytest.raises(Forbidden, match="hook 'trace_syscalls'"):
        await john.check_early(wanted())


async def test_pods_are_looked_at_where_that_is_granted(world: World) -> None:
    jane = world.permissions(*sessions_in("shop", "get"))
    assert (await jane.look_at(ContainerSelector(), PODS)).within == ("shop",)
    with pytest.raises(Forbidden, match="namespace 'bank'"):
        await jane.look_at(ContainerSelector(namespace="bank"), PODS)


async def test_only_sessions_of_granted_namespaces_are_there(world: World) -> None:
    jane = world.permissions(*sessions_in("shop", "get", "delete"))
    mine = Made(wanted(namespace="shop"))
    others = [Made(wanted()), Made(wanted(namespace="bank")), Made(wanted(namespace="s*"))]
    assert await jane.over(Action.GET, [mine, *others]) == [mine]
    assert await jane.over(Action.DELETE, [mine, *others]) == [mine]


async def test_who_sees_a_session_but_may_not_act_on_it_is_told_so(world: World) -> None:
    jane = world.permissions(*sessions_in("shop", "get"), *sessions_in("bank", "get", "delete"))
    mine = Made(wanted(namespace="bank"))
    with pytest.raises(Forbidden, match="may not delete trace session 7"):
        await jane.over(Action.DELETE, [mine, Made(wanted(namespace="shop"))])
    assert await jane.over(Action.DELETE, [mine]) == [mine]


async def test_where_nobody_decides_everything_is_allowed() -> None:
    anybody = Permissions(access=OpenAccess(), identity=ANYBODY)
    assert await anybody.narrow(wanted(), PODS) == wanted()
    everything = [Made(wanted()), Made(wanted(namespace="shop"))]
    assert await anybody.over(Action.DELETE, everything) == everything
    assert (await anybody.of_hooks(["trace_exec"])).hooks == ("*",)
    await anybody.check(Action.CREATE)
    await OpenAccess().close()


async def test_only_who_may_do_it_everywhere_may_see_what_tells_of_everything(
    world: World,
) -> None:
    await world.permissions(*sessions_in("", "get")).check_everything(Action.GET)
    for granted in ([], sessions_in("shop", "get"), sessions_in("", "create")):
        with pytest.raises(Forbidden, match="with every hook, in every namespace"):
            await world.permissions(*granted).check_everything(Action.GET)
    await Permissions(access=OpenAccess(), identity=ANYBODY).check_everything(Action.GET)
