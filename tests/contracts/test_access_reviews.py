"""Whoever reviews tokens and rights: the fake, and a Kubernetes API over real HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from container_tracer.adapters.kubernetes.access_reviews import KubernetesAccessReviews
from container_tracer.adapters.kubernetes.settings import KubernetesSettings
from container_tracer.domain.model.access import Identity
from container_tracer.domain.model.access_reviews import ReviewedAccess
from container_tracer.fakes.access_reviews import FakeAccessReviews
from container_tracer.fakes.kubernetes.access import Binding, User
from container_tracer.fakes.kubernetes.api import FakeKubernetesApi
from container_tracer.ports.access_reviews import AccessReviews
from container_tracer.ports.errors import AccessUndecided

IN_SHOP = ReviewedAccess(verb="get", resource="tracesessions", namespace="shop")
SYSCALLS = ReviewedAccess(verb="use", resource="tracehooks", name="trace_syscalls")
RULES = [
    {"apiGroups": ["container-tracer.io"], "resources": ["tracesessions"], "verbs": ["get"]},
]
HOOK_RULES = [
    {
        "apiGroups": ["container-tracer.io"],
        "resources": ["tracehooks"],
        "resourceNames": ["trace_syscalls"],
        "verbs": ["use"],
    }
]


@pytest.fixture
async def api() -> AsyncIterator[FakeKubernetesApi]:
    async with FakeKubernetesApi() as api:
        api.access.users["t0ken"] = User(
            name="jane", groups=("dev",), uid="7", audiences=("tracer",)
        )
        api.access.users["elsewhere"] = User(name="jane", audiences=("other",))
        api.access.bindings += [
            Binding(subject="dev", rules=RULES, namespace="shop"),
            Binding(subject="jane", rules=HOOK_RULES),
        ]
        yield api


@pytest.fixture(params=["fake", "kubernetes"])
async def reviews(
    request: pytest.FixtureRequest, api: FakeKubernetesApi, tmp_path: Path
) -> AsyncIterator[AccessReviews]:
    made: AccessReviews = FakeAccessReviews(
        tokens={"t0ken": Identity(name="jane", groups=("dev",))},
        grants={"jane": [IN_SHOP, SYSCALLS]},
    )
    if request.param == "kubernetes":
        config = api.write_kubeconfig(tmp_path / "config")
        settings = KubernetesSettings(kubeconfig=str(config), timeout_seconds=5)
        made = KubernetesAccessReviews(settings=settings, audience="tracer")
    yield made
    await made.close()


class TestAccessReviews:
    async def test_a_token_that_is_known_is_somebodys(self, reviews: AccessReviews) -> None:
        found = await reviews.identity("t0ken")
        assert found is not None
        assert found.name == "jane"
        assert "dev" in found.groups

    @pytest.mark.parametrize("token", ["wrong", "elsewhere"])
    async def test_any_other_is_nobodys(self, reviews: AccessReviews, token: str) -> None:
        assert await reviews.identity(token) is None

    @pytest.mark.parametrize(
        ("access", "allowed"),
        [
            (IN_SHOP, True),
            (SYSCALLS, True),
            (ReviewedAccess(verb="delete", resource="tracesessions", namespace="shop"), False),
            (ReviewedAccess(verb="get", resource="tracesessions", namespace="bank"), False),
            (ReviewedAccess(verb="get", resource="tracesessions"), False),
            (ReviewedAccess(verb="use", resource="tracehooks", name="trace_exec"), False),
            (ReviewedAccess(verb="use", resource="tracehooks"), False),
        ],
    )
    async def test_only_what_is_granted_is_allowed(
        self, reviews: AccessReviews, access: ReviewedAccess, *, allowed: bool
    ) -> None:
        jane = Identity(name="jane", groups=("dev",))
        assert await reviews.allows(jane, access) is allowed
        assert not await reviews.allows(Identity(name="john"), access)

    async def test_without_a_cluster_nothing_is_decided(
        self, reviews: AccessReviews, api: FakeKubernetesApi
    ) -> None:
        await api.stop()
        if isinstance(reviews, FakeAccessReviews):
            reviews.away = True
        with pytest.raises(AccessUndecided):
            await reviews.identity("t0ken")
        with pytest.raises(AccessUndecided):
            await reviews.allows(Identity(name="jane"), IN_SHOP)

    async def test_closing_it_twice_is_harmless(self, reviews: AccessReviews) -> None:
        await reviews.close()
        await reviews.close()
