"""What clients change through svc is in its audit log, once each, whatever becomes of it."""

import asyncio
from collections.abc import Sequence
from typing import Any

from structlog.testing import capture_logs
from structlog.typing import EventDict

from .conftest import node_answer

SESSIONS = "/v1/trace-session"
WANTED = {"pod": "web-*", "trace-hook": "trace_syscalls", "run": True}


def audit(logs: Sequence[EventDict]) -> list[EventDict]:
    return [line for line in logs if line["event"] == "audit"]


async def test_each_change_is_one_line_with_what_it_is_about(svc: Any) -> None:
    svc.client.answers = {"a": node_answer({"1": {"Id": "1"}}, 201)}
    with capture_logs() as logs:
        made = await svc.ask("POST", SESSIONS, json=WANTED)
        await svc.ask("GET", f"{SESSIONS}/all")
        await svc.ask("POST", SESSIONS, json={**WANTED, "odd": 1})
        svc.client.answers = {"a": node_answer({})}
        await svc.ask("PUT", f"{SESSIONS}/7", json={"Run": False})
        await svc.ask("DELETE", f"{SESSIONS}/all")
    lines = audit(logs)
    assert [(one["method"], one["status"]) for one in lines] == [
        ("POST", 201),
        ("POST", 400),
        ("PUT", 200),
        ("DELETE", 200),
    ]
    first, refused, change, end = lines
    assert made.headers["Location"] == f"{SESSIONS}/{first['group']}"
    assert (first["hook"], first["run"]) == ("trace_syscalls", True)
    assert first["selector"] == "pod 'web-*', container '*'"
    assert "hook" not in refused
    assert (change["session"], change["run"], end["session"]) == ("7", False, "all")


async def test_a_change_whose_client_hangs_up_is_one_line_too(svc: Any) -> None:
    svc.client.hanging = {"a": asyncio.Event()}
    svc.client.answers = {"a": node_answer({})}
    with capture_logs() as logs:
        asked = asyncio.create_task(svc.ask("DELETE", f"{SESSIONS}/7"))
        await svc.until(asked=1)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        while not audit(logs):  # noqa: ASYNC110 - a log
            await asyncio.sleep(0.01)
        svc.client.hanging["a"].set()
        await svc.ask("GET", "/healthz")
    assert [(one["method"], one["status"]) for one in audit(logs)] == [("DELETE", 499)]
