"""Who may do what, in front of real nodes: a node refuses what svc would have refused."""

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from container_tracer.fakes.kubernetes.access import Binding, User
from container_tracer.fakes.kubernetes.api import FakeKubernetesApi
from tests.integration.node.conftest import Node, StartBox, StartNode

from .conftest import StartSvc, Svc

pytestmark = pytest.mark.kernel

ADMIN, LIMITED, NEW = "admin-0123456789", "limited-0123456789", "rotated-0123456789"
WANTED: dict[str, Any] = {"pod": "*", "trace-hook": "trace_syscalls", "exporters": []}
SESSIONS = "/v1/trace-session"

Ask: TypeAlias = Callable[..., tuple[int, Any]]


def bearer(token: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"}


def asking(server: Node | Svc) -> Ask:
    """Return how to ask a server, as somebody."""

    def ask(token: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
        answer = server.ask(method, path, body, headers=bearer(token))
        return answer if isinstance(answer, tuple) else (answer.status, answer.json)

    return ask


def write_tokens(path: Path, **tokens: Mapping[str, object]) -> Path:
    entries = [{"name": name, **entry} for name, entry in tokens.items()]
    new = path.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(json.dumps({"tokens": entries}))
    return new.replace(path)


def audit_of(log: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [line for line in lines if line["event"] == "audit"]


def test_tokens_of_a_file_limit_what_both_roles_do(
    start_node: StartNode, start_box: StartBox, start_svc: StartSvc, tmp_path: Path
) -> None:
    limits = {"namespaces": ["shop"], "hooks": ["trace_syscalls"]}
    tokens = write_tokens(
        tmp_path / "tokens", admin={"token": ADMIN}, limited={"token": LIMITED, **limits}
    )
    flags = ("--auth-token-file", str(tokens))
    box, node = start_box(), start_node(*flags)
    svc = start_svc(node, flags=flags)
    node.headers = bearer(ADMIN)
    pod = box.pod(node)

    for ask in (asking(node), asking(svc)):
        assert ask("wrong", "GET", "/v1/pods")[0] == 401
        assert ask("wrong", "GET", "/openapi.json")[0] == 401
        assert ask(LIMITED, "GET", "/v1/pods") == (200, {})  # no container here is in shop
        assert ask(LIMITED, "POST", SESSIONS, {**WANTED, "pod": pod})[0] == 404
        for body in ({**WANTED, "namespace": "bank"}, {**WANTED, "trace-hook": "trace_exec"}):
            status, problem = ask(LIMITED, "POST", SESSIONS, body)
            assert (status, problem["title"]) == (403, "Forbidden")

    status, made = asking(svc)(ADMIN, "POST", SESSIONS, {**WANTED, "pod": pod})
    assert status == 201, made
    (group,) = {one["Group"] for one in made.values()}
    for ask in (asking(node), asking(svc)):
        assert ask(LIMITED, "GET", f"{SESSIONS}/{group}")[0] == 404
        assert ask(LIMITED, "DELETE", f"{SESSIONS}/{group}")[0] == 404
        assert ask(LIMITED, "DELETE", f"{SESSIONS}/all") == (200, {})
        assert set(ask(ADMIN, "GET", f"{SESSIONS}/all")[1]) == set(made)

    write_tokens(tokens, admin={"token": NEW})
    for ask in (asking(node), asking(svc)):
        assert ask(ADMIN, "GET", "/v1/pods")[0] == 401
        assert ask(NEW, "GET", f"{SESSIONS}/{group}")[0] == 200
    tokens.write_text("tokens: [")
    assert asking(svc)(NEW, "DELETE", f"{SESSIONS}/{group}") == (200, {})

    for log in (node.log, svc.log):
        text = log.read_text()
        assert "tokens.not_loaded" in text
        assert not [token for token in (ADMIN, LIMITED, NEW, "Bearer") if token in text]
    (through_svc,) = [one for one in audit_of(svc.log) if one["status"] == 201]
    (at_node,) = [one for one in audit_of(node.log) if one["status"] == 201]
    assert (through_svc["who"], at_node["who"]) == ("admin", "admin")
    assert through_svc["request_id"] == at_node["request_id"]
    assert through_svc["group"] == group


async def test_roles_of_a_cluster_limit_what_both_roles_do(
    start_node: StartNode,
    start_box: StartBox,
    start_svc: StartSvc,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = {"apiGroups": ["container-tracer.io"], "verbs": ["*"]}
    rules = [{**own, "resources": [one]} for one in ("tracesessions", "tracehooks")]
    async with FakeKubernetesApi() as api:
        api.access.users |= {
            ADMIN: User(name="jane", groups=("admins",)),
            LIMITED: User(name="john"),
        }
        api.access.bindings += [
            Binding(subject="admins", rules=rules),
            Binding(subject="john", rules=rules[:1], namespace="shop"),
            Binding(subject="john", rules=rules[1:]),
        ]
        monkeypatch.setenv("KUBECONFIG", str(api.write_kubeconfig(tmp_path / "config")))
        box, node = start_box(), start_node("--auth-kubernetes")
        svc = start_svc(node, flags=("--auth-kubernetes",))

        async def ask(server: Node | Svc, *how: Any) -> tuple[int, Any]:
            return await asyncio.to_thread(asking(server), *how)

        node.headers = bearer(ADMIN)
        pod = await asyncio.to_thread(box.pod, node)
        for server in (node, svc):
            assert (await ask(server, "wrong", "GET", "/v1/pods"))[0] == 401
            assert await ask(server, LIMITED, "GET", "/v1/pods") == (200, {})
            body = {**WANTED, "namespace": "bank"}
            assert (await ask(server, LIMITED, "POST", SESSIONS, body))[0] == 403
            body = {**WANTED, "namespace": "shop", "wait-for-pods": True}
            status, made = await ask(server, LIMITED, "POST", SESSIONS, body)
            assert (status, [one["LimitedTo"] for one in made.values()]) == (201, [["shop"]])
        status, _ = await ask(svc, ADMIN, "POST", SESSIONS, {**WANTED, "pod": pod})
        assert status == 201
        assert len((await ask(svc, ADMIN, "GET", f"{SESSIONS}/all"))[1]) == 3
        assert len((await ask(svc, LIMITED, "GET", f"{SESSIONS}/all"))[1]) == 2

        await api.stop()
        for server in (node, svc):
            status, problem = await ask(server, "unheard-of", "GET", "/v1/pods")
            assert (status, problem["title"]) == (503, "Access undecided")
            assert (await ask(server, ADMIN, "GET", "/v1/pods"))[0] == 200  # it is remembered
        for log in (node.log, svc.log):
            assert not [token for token in (ADMIN, LIMITED) if token in log.read_text()]
