"""Whoever decides about access: knows tokens, limits rights, and lets nobody else in."""

import json
from pathlib import Path

import pytest

from container_tracer.adapters.tokens.access_control import TokenFileAccessControl
from container_tracer.adapters.tokens.file import TokenFile
from container_tracer.domain.model.access import (
    AccessQuestion,
    Action,
    Identity,
    Unauthenticated,
    allows,
)
from container_tracer.domain.model.access_reviews import ReviewedAccess
from container_tracer.domain.services.reviewed_access import ReviewedAccessControl
from container_tracer.fakes.access_control import FakeAccessControl
from container_tracer.fakes.access_reviews import FakeAccessReviews
from container_tracer.fakes.clock import FakeClock
from container_tracer.ports.access_control import AccessControl

ADMIN, LIMITED = "admin-0123456789abcdef", "limited-0123456789abcdef"
QUESTION = AccessQuestion(
    action=Action.GET,
    hooks=frozenset({"trace_syscalls", "trace_exec"}),
    namespaces=frozenset({"shop", "bank"}),
)


def token_file(tmp_path: Path) -> AccessControl:
    limits = {"namespaces": ["shop"], "hooks": ["trace_syscalls"]}
    entries = [{"name": "admin", "token": ADMIN}, {"name": "limited", "token": LIMITED, **limits}]
    path = tmp_path / "tokens"
    path.touch(mode=0o600)
    path.write_text(json.dumps({"tokens": entries}))
    file = TokenFile(path)
    file.load()
    return TokenFileAccessControl(file=file, clock=FakeClock())


def cluster(_: Path) -> AccessControl:
    def get(namespace: str) -> ReviewedAccess:
        return ReviewedAccess(verb="get", resource="tracesessions", namespace=namespace)

    def use(name: str) -> ReviewedAccess:
        return ReviewedAccess(verb="use", resource="tracehooks", name=name)

    reviews = FakeAccessReviews(
        tokens={ADMIN: Identity(name="admin"), LIMITED: Identity(name="limited")},
        grants={"admin": [get(""), use("")], "limited": [get("shop"), use("trace_syscalls")]},
    )
    return ReviewedAccessControl(reviews=reviews, clock=FakeClock())


def fake(_: Path) -> AccessControl:
    return FakeAccessControl(
        tokens={ADMIN: "admin", LIMITED: "limited"},
        hooks={"limited": ("trace_syscalls",)},
        namespaces={"limited": ("shop",)},
    )


@pytest.fixture(params=[token_file, cluster, fake])
def access(request: pytest.FixtureRequest, tmp_path: Path) -> AccessControl:
    made: AccessControl = request.param(tmp_path)
    return made


class TestAccessControl:
    async def test_a_token_is_its_bearers(self, access: AccessControl) -> None:
        assert (await access.identify(ADMIN)).name == "admin"
        assert (await access.identify(LIMITED)).name == "limited"

    @pytest.mark.parametrize("token", ["", ADMIN[:-1], ADMIN + "0", ADMIN.upper(), "\udcff"])
    async def test_any_other_is_nobodys(self, access: AccessControl, token: str) -> None:
        with pytest.raises(Unauthenticated):
            await access.identify(token)

    async def test_who_has_no_limits_may_do_everything(self, access: AccessControl) -> None:
        rights = await access.rights(await access.identify(ADMIN), QUESTION)
        assert (rights.hooks, rights.namespaces) == (("*",), ("*",))

    async def test_who_has_limits_is_held_to_them(self, access: AccessControl) -> None:
        rights = await access.rights(await access.identify(LIMITED), QUESTION)
        assert [one for one in sorted(QUESTION.namespaces) if allows(rights.namespaces, one)] == [
            "shop"
        ]
        assert not allows(rights.namespaces, "")
        assert [one for one in sorted(QUESTION.hooks) if allows(rights.hooks, one)] == [
            "trace_syscalls"
        ]

    async def test_closing_it_twice_is_harmless(self, access: AccessControl) -> None:
        await access.close()
        await access.close()
