"""What somebody with limits sees of a node, and what becomes of what he asks for."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define
from structlog.testing import capture_logs

from container_tracer.adapters.tokens.access_control import TokenFileAccessControl
from container_tracer.adapters.tokens.file import TokenFile
from container_tracer.domain.model.pod import Container, Pod
from container_tracer.entrypoints.rest.gate import Gate
from container_tracer.fakes.clock import FakeClock
from tests.unit.entrypoints.conftest import Answer, Node, node_behind

TOKENS: list[dict[str, Any]] = [
    {"name": "admin", "token": "admin-0123456789abcdef"},
    {"name": "shop", "token": "shop-0123456789abcdef", "namespaces": ["shop", "shop-*"]},
    {"name": "bank", "token": "bank-0123456789abcdef", "namespaces": ["bank"]},
    {"name": "hookless", "token": "hookless-0123456789abcdef", "hooks": ["trace_exec"]},
    {
        "name": "reader",
        "token": "reader-0123456789abcdef",
        "namespaces": ["shop"],
        "actions": ["get"],
    },
]


@define
class Guarded:
    """A node that knows the tokens above."""

    node: Node

    async def ask(self, who: str, method: str, path: str, **how: Any) -> Answer:
        headers = {"Authorization": f"Bearer {who}-0123456789abcdef"}
        return await self.node.ask(method, path, headers=headers, **how)

    async def create(self, who: str, **body: Any) -> Answer:
        wanted = {"pod": "*", "container": "*", "trace-hook": "trace_syscalls", **body}
        return await self.ask(who, "POST", "/v1/trace-session", json=wanted)

    async def made(self, who: str, **body: Any) -> str:
        (session_id,) = (await self.create(who, **body)).json
        return str(session_id)


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Guarded]:
    path = tmp_path / "tokens"
    path.touch(mode=0o600)
    path.write_text(json.dumps({"tokens": TOKENS}))
    file = TokenFile(path)
    file.load()
    gate = Gate(access=TokenFileAccessControl(file=file, clock=FakeClock()))
    async with node_behind(gate) as node:
        node.pods.listed = tuple(
            Pod(
                name=f"{one or 'host'}-0",
                namespace=one,
                containers=(Container(name="c", pod=f"{one or 'host'}-0", namespace=one),),
            )
            for one in ("shop", "shop-eu", "bank", "")
        )
        yield Guarded(node)


async def test_pods_are_those_of_the_namespaces_that_are_allowed(guarded: Guarded) -> None:
    assert set((await guarded.ask("admin", "GET", "/v1/pods")).json) == {
        "shop-0",
        "shop-eu-0",
        "bank-0",
        "host-0",
    }
    assert set((await guarded.ask("shop", "GET", "/v1/pods")).json) == {"shop-0", "shop-eu-0"}
    assert set((await guarded.ask("bank", "GET", "/v1/pods")).json) == {"bank-0"}
    named = await guarded.ask("bank", "GET", "/v1/pods?namespace=shop")
    assert (named.status, named.json["title"]) == (403, "Forbidden")
    assert (await guarded.ask("bank", "GET", "/v1/pods?namespace=sho*")).json == {}


async def test_hooks_say_which_are_not_allowed(guarded: Guarded) -> None:
    shown = (await guarded.ask("hookless", "GET", "/v1/trace-hooks")).json
    hook = shown["ftrace"]["Tracers"]["trace_syscalls"]
    assert not hook["Available"]
    assert "may not use hook" in hook["Reason"]
    shown = (await guarded.ask("shop", "GET", "/v1/trace-hooks")).json
    assert shown["ftrace"]["Tracers"]["trace_syscalls"]["Available"]


async def test_a_session_is_narrowed_to_what_is_allowed_and_says_so(guarded: Guarded) -> None:
    (session,) = (await guarded.create("shop")).json.values()
    assert set(session["Containers"]) == {"shop-0", "shop-eu-0"}
    assert session["LimitedTo"] == ["shop", "shop-*"]
    (request,) = guarded.node.sessions.asked
    assert not request.selector.matches(Container(name="c", pod="new", namespace="bank"))
    (session,) = (await guarded.create("admin")).json.values()
    assert (len(session["Containers"]), session["LimitedTo"]) == (4, [])


@pytest.mark.parametrize(
    ("who", "body", "status", "said"),
    [
        ("shop", {"namespace": "bank"}, 403, "namespace 'bank'"),
        ("shop", {"pod": "bank/*"}, 403, "namespace 'bank'"),
        ("shop", {"pod": "bank-*"}, 404, "within what you may trace"),
        ("hookless", {}, 403, "hook 'trace_syscalls'"),
        ("reader", {}, 403, "'reader' may not create"),
    ],
)
async def test_what_is_not_allowed_makes_no_session(
    guarded: Guarded, who: str, body: dict[str, Any], status: int, said: str
) -> None:
    answer = await guarded.create(who, **body)
    assert answer.status == status
    assert said in answer.json["detail"]
    assert guarded.node.sessions.kept == {}


async def test_sessions_beyond_ones_rights_do_not_exist(guarded: Guarded) -> None:
    theirs, all_of_it = await guarded.made("bank"), await guarded.made("admin")
    mine = await guarded.made("shop")
    assert set((await guarded.ask("shop", "GET", "/v1/trace-session/all")).json) == {mine}
    assert set((await guarded.ask("shop", "GET", "/v1/trace-session/all/summary")).json) == {mine}
    for hidden in (theirs, all_of_it):
        for method, path in (
            ("GET", f"/v1/trace-session/{hidden}"),
            ("GET", f"/v1/trace-session/{hidden}/summary"),
            ("GET", f"/v1/trace-session/{hidden}/events"),
            ("DELETE", f"/v1/trace-session/{hidden}"),
        ):
            refused = await guarded.ask("shop", method, path)
            assert refused.status == 404
            unknown = await guarded.ask("shop", method, path.replace(hidden, "77"))
            assert refused.json["detail"] == unknown.json["detail"].replace("77", hidden)
        refused = await guarded.ask(
            "shop", "PUT", f"/v1/trace-session/{hidden}", json={"Run": True}
        )
        assert refused.status == 404
    assert guarded.node.sessions.calls == []


async def test_an_admin_sees_and_changes_everybodys(guarded: Guarded) -> None:
    ids = {await guarded.made(who) for who in ("shop", "bank", "admin")}
    assert set((await guarded.ask("admin", "GET", "/v1/trace-session/all")).json) == ids


async def test_a_session_of_a_namespace_is_its_teams_whoever_made_it(guarded: Guarded) -> None:
    made = await guarded.made("admin", namespace="shop")
    assert (await guarded.ask("shop", "GET", f"/v1/trace-session/{made}")).status == 200
    assert (await guarded.ask("reader", "GET", f"/v1/trace-session/{made}")).status == 200
    assert (await guarded.ask("bank", "GET", f"/v1/trace-session/{made}")).status == 404


async def test_deleting_all_is_of_those_one_may_see(guarded: Guarded) -> None:
    theirs = await guarded.made("bank")
    for _ in range(2):
        await guarded.made("shop")
    assert (await guarded.ask("shop", "DELETE", "/v1/trace-session/all")).status == 200
    assert set(guarded.node.sessions.kept) == {theirs}


async def test_who_may_only_look_is_told_so(guarded: Guarded) -> None:
    made = await guarded.made("shop", namespace="shop")
    for method, path in (("DELETE", made), ("DELETE", "all"), ("PUT", made)):
        body = {"Run": True} if method == "PUT" else None
        refused = await guarded.ask("reader", method, f"/v1/trace-session/{path}", json=body)
        assert refused.status == 403
        assert "it may: get" in refused.json["detail"]
    assert set(guarded.node.sessions.kept) == {made}


async def test_each_change_is_one_line_of_the_audit_log(guarded: Guarded) -> None:
    with capture_logs() as logs:
        made = await guarded.made("shop", run=True)
        await guarded.ask("shop", "PUT", f"/v1/trace-session/{made}", json={"Run": False})
        await guarded.ask("shop", "GET", "/v1/trace-session/all")
        await guarded.ask("bank", "DELETE", f"/v1/trace-session/{made}")
        await guarded.create("shop", namespace="bank")
        await guarded.ask("nobody", "DELETE", "/v1/trace-session/all")
        await guarded.ask("admin", "POST", "/v1/trace-session", data=b"{")
        await guarded.ask("admin", "DELETE", "/v1/trace-session/all")
    audit = [line for line in logs if line["event"] == "audit"]
    assert [(one["who"], one["method"], one["status"]) for one in audit] == [
        ("shop", "POST", 201),
        ("shop", "PUT", 200),
        ("bank", "DELETE", 404),
        ("shop", "POST", 403),
        ("", "DELETE", 401),
        ("admin", "POST", 415),
        ("admin", "DELETE", 200),
    ]
    first = audit[0]
    assert (first["hook"], first["run"], first["session"]) == ("trace_syscalls", True, made)
    assert "within what you may trace (shop, shop-*)" in first["selector"]
    assert first["client"] == "127.0.0.1"
    assert audit[1]["run"] is False
    assert audit[3]["selector"].endswith("namespace 'bank'")
    assert audit[-1]["sessions"] == [made]
    assert len({one["request_id"] for one in audit}) == len(audit)


async def test_a_change_whose_client_is_gone_is_audited_when_it_is_done(guarded: Guarded) -> None:
    made = await guarded.made("shop")
    sessions = guarded.node.sessions
    sessions.gate.clear()
    with capture_logs() as logs:
        change = guarded.ask("shop", "PUT", f"/v1/trace-session/{made}", json={"Run": True})
        asked = asyncio.create_task(change)
        await sessions.entered.wait()
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        assert [line for line in logs if line["event"] == "audit"] == []
        sessions.gate.set()
        while not (audit := [one for one in logs if one["event"] == "audit"]):  # noqa: ASYNC110 - a log
            await asyncio.sleep(0.01)
    ((who, status),) = [(one["who"], one["status"]) for one in audit]
    assert (who, status) == ("shop", 200)
