"""A tracer's API on a loopback port, without a tracer behind it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from aiohttp import web
from attrs import define, field

PROBLEM = "application/problem+json"


def span_line(**changes: Any) -> dict[str, Any]:
    """Return a span as the API sends it."""
    return {
        "time": "2026-11-20T22:00:00.123456789Z",
        "start_ns": 1_795_212_000_123_456_789,
        "duration_ns": 12_345,
        "node": "worker-1",
        "namespace": "default",
        "pod": "shop",
        "container": "web",
        "container_id": "4f1c6d",
        "pid": 10,
        "tid": 11,
        "command": "nginx",
        "name": "openat",
        "arguments": {"dfd": -100, "flags": "O_RDONLY"},
        "result": -2,
        "error": "ENOENT",
        "events": 2,
        **changes,
    }


def end_line(**changes: Any) -> dict[str, Any]:
    """Return the last line of a stream."""
    return {
        "stream": "end",
        "reason": "its duration of 1 s is over",
        "state": "stopped",
        "error": "",
        "statistics": {
            "Attributed": 8,
            "FilteredOut": 2,
            "Spans": 3,
            "IncompleteSpans": 0,
            "Exporters": {},
            "Source": {"Lost": 0, "Malformed": 0},
        },
        **changes,
    }


@define(eq=False)
class TracerApi:
    """Answers as a node does; `asked` are the requests, `gone` the sessions that were deleted.

    With `nodes` it answers as a svc: a session has a part on each of them, and `failed` nodes are
    named with every answer.

    A stream sends `open`, waits for the session to start, sends `script`, and waits for it to
    stop unless the script has an end.
    """

    url: str = ""
    pods: dict[str, Any] = field(factory=dict)
    hooks: dict[str, Any] = field(factory=lambda: HOOKS)
    script: list[dict[str, Any]] = field(factory=lambda: [span_line(), end_line()])
    summary: dict[str, Any] = field(factory=dict)
    asked: list[tuple[str, str, Any]] = field(factory=list)
    queries: list[dict[str, str]] = field(factory=list)
    containers: dict[str, Any] = field(factory=lambda: {"shop": ["web"]})
    refused: dict[str, Any] = field(factory=dict)
    headers: list[dict[str, str]] = field(factory=list)
    sessions: dict[str, dict[str, Any]] = field(factory=dict)
    gone: list[str] = field(factory=list)
    refusal: dict[str, Any] | None = None
    nodes: list[str] = field(factory=list)
    failed: list[dict[str, Any]] = field(factory=list)
    summaries: dict[str, dict[str, Any]] = field(factory=dict)
    break_off: bool = False
    changed: asyncio.Condition = field(factory=asyncio.Condition)

    @property
    def node_errors(self) -> dict[str, str]:
        return {"X-Tracer-Node-Errors": json.dumps(self.failed)} if self.failed else {}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        response = await self._answer(request)
        if not response.prepared:
            response.headers.update(self.node_errors)
        return response

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        self.asked.append((request.method, request.path, json.loads(body) if body else None))
        self.queries.append({key: ",".join(request.query.getall(key)) for key in request.query})
        self.headers.append(dict(request.headers))
        if self.refusal is not None:
            return _problem(self.refusal)
        match request.method, request.path.split("/")[1:]:
            case "GET", ["v1", "pods"]:
                return web.json_response(self.pods)
            case "GET", ["v1", "trace-hooks"]:
                return web.json_response(self.hooks)
            case "POST", ["v1", "trace-session"]:
                return web.json_response(self._create(json.loads(body)), status=201)
            case method, ["v1", "trace-session", name, *rest]:
                return await self._session(request, method, name, rest, body)
        return _problem({"status": 404, "title": "Not Found", "detail": "No such path."})

    def _create(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = str(7_000_000_000 + len(self.sessions) + len(self.gone))
        self.sessions[name] = {
            "Id": name,
            **({"NodeErrors": self.failed} if self.failed else {}),
            "State": "running" if asked["run"] else "created",
            "Running": asked["run"],
            "Node": "worker-1",
            "TraceHook": asked["trace-hook"],
            "TraceParams": [],
            "Context": asked.get("trace-user-context", ""),
            "Containers": self.containers,
            "Refused": self.refused,
            "Output": None,
            "Error": None,
            "Statistics": end_line()["statistics"],
        }
        return self._parts([name])

    def _parts(self, names: Iterable[str]) -> dict[str, Any]:
        """Describe sessions, each once for every node."""
        if not self.nodes:
            return {name: self.sessions[name] for name in names}
        return {
            f"{name}{number}": {
                **self.sessions[name],
                "Id": f"{name}{number}",
                "Group": name,
                "Node": node,
            }
            for name in names
            for number, node in enumerate(self.nodes)
        }

    async def _session(
        self, request: web.Request, method: str, name: str, rest: list[str], body: str
    ) -> web.StreamResponse:
        if name != "all" and name not in self.sessions:
            detail = f"There is no trace session '{name}' on this node."
            kind = "urn:container-tracer:problem:unknown-session"
            return _problem(
                {"type": kind, "status": 404, "title": "Unknown session", "detail": detail}
            )
        chosen = self.sessions if name == "all" else {name: self.sessions[name]}
        if rest == ["events"]:
            return await self._stream(request, name)
        if rest == ["summary"]:
            several = self.summaries or dict.fromkeys(chosen, self.summary)
            return web.json_response({one: {"Id": one, **each} for one, each in several.items()})
        if method == "PUT":
            await self._change(name, run=json.loads(body)["Run"])
            return web.json_response({})
        if method == "DELETE":
            for one in list(chosen):
                del self.sessions[one]
                self.gone.append(one)
            await self._notify()
            return web.json_response({})
        return web.json_response(self._parts(chosen))

    async def _change(self, name: str, *, run: bool) -> None:
        self.sessions[name] |= {"State": "running" if run else "stopped", "Running": run}
        await self._notify()

    async def _notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def _until(self, name: str, *states: str) -> None:
        async with self.changed:
            await self.changed.wait_for(
                lambda: name not in self.sessions or self.sessions[name]["State"] in states
            )

    async def _stream(self, request: web.Request, name: str) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "application/x-ndjson", **self.node_errors}
        )
        await response.prepare(request)

        async def send(value: dict[str, Any]) -> None:
            await response.write(json.dumps(value).encode() + b"\n")

        await send({"stream": "open", "id": name, "state": self.sessions[name]["State"]})
        await self._until(name, "running")
        for line in self.script:
            await send(line)
        if self.break_off:
            assert request.transport is not None
            request.transport.abort()
        elif not any(line.get("stream") == "end" for line in self.script):
            await self._until(name, "stopped")
            await send(end_line(reason="it was stopped"))
        return response


HOOKS: dict[str, Any] = {
    "ftrace": {
        "Tracers": {
            "trace_syscalls": {
                "Name": "trace_syscalls",
                "Description": ["System calls as spans.", "Example: -s openat"],
                "Available": True,
                "Reason": "",
                "Arguments": [
                    {"Flags": ["-s", "--syscall"], "Value": "NAME...", "Description": "only these"}
                ],
            },
            "trace_block": {
                "Name": "trace_block",
                "Description": ["Block I/O."],
                "Available": False,
                "Reason": "this kernel has no event block:block_rq_issue",
                "Arguments": [],
            },
        }
    }
}


def _problem(problem: dict[str, Any]) -> web.Response:
    return web.Response(text=json.dumps(problem), status=problem["status"], content_type=PROBLEM)


@pytest.fixture
async def tracer_api() -> AsyncIterator[TracerApi]:
    api = TracerApi()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    api.url = f"http://{host}:{port}"
    yield api
    await runner.cleanup()


@pytest.fixture
def lines() -> Any:
    """Make lines of a stream: `lines.span(...)`, `lines.end(...)`."""

    class Lines:
        span = staticmethod(span_line)
        end = staticmethod(end_line)

    return Lines
