"""A node's real application on a loopback socket, over stand-ins that keep their state public."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any

import aiohttp
import pytest
import structlog
from attrs import define, field, frozen
from sanic import Sanic

from container_tracer.adapters.system.clock import SystemClock
from container_tracer.domain.model.discovery_choice import DiscoveryChoice
from container_tracer.domain.model.hook import HookArgument, HookCatalogue, TracePlan
from container_tracer.domain.model.isolation import admit_some
from container_tracer.domain.model.pod import Container, Pod
from container_tracer.domain.model.session import SessionState, TraceSession
from container_tracer.domain.model.session_request import (
    InvalidArguments,
    SessionRequest,
    UnknownSession,
)
from container_tracer.domain.model.stats import (
    CpuCounters,
    ExporterStats,
    SessionStats,
    SourceStats,
)
from container_tracer.domain.model.summary import RunSummary, Summary
from container_tracer.domain.model.trace_context import SpanContext
from container_tracer.domain.services.live import LiveSpans
from container_tracer.domain.services.own_spans import OwnSpans
from container_tracer.domain.services.watcher import Frame, Watcher
from container_tracer.entrypoints.node.context import NodeContext
from container_tracer.entrypoints.node.metrics import node_metrics
from container_tracer.entrypoints.node.routes import node_blueprints
from container_tracer.entrypoints.rest.app import build_app
from container_tracer.entrypoints.rest.context import App
from container_tracer.entrypoints.rest.gate import Gate
from container_tracer.entrypoints.rest.serving import serving
from container_tracer.fakes.spans import awkward_batch

WEB = Container(
    name="web",
    pod="shop",
    container_id="4f1c6d",
    namespace="default",
    pod_uid="0c6a",
    image="registry.example/shop:1.4",
    labels={"app": "shop"},
    runtime="runc",
    parents=(10,),
    tasks=(10, 11),
)
SOURCE = SourceStats(
    recorded=1500, attributed=1200, unattributed=300, cpus=(CpuCounters(0, read=1500),)
)


@define
class StandInHook:
    """A hook that takes any arguments but `--wrong`."""

    name: str = "trace_syscalls"
    group: str = "ftrace"
    description: tuple[str, ...] = ("System calls as spans.",)
    arguments: tuple[HookArgument, ...] = (
        HookArgument(flags=("-s", "--syscall"), value="NAME...", description="only these"),
    )

    def unavailable(self, events: frozenset[str]) -> str:
        return "" if "raw_syscalls:sys_enter" in events else "no event raw_syscalls:sys_enter"

    def plan(self, arguments: str, events: frozenset[str]) -> TracePlan:
        if "--wrong" in arguments:
            raise InvalidArguments("trace_syscalls: unrecognized arguments: --wrong.")
        return TracePlan(events=events)


@define
class StandInPods:
    """Answers with what it was given, or fails with it."""

    listed: tuple[Pod, ...] = (Pod(name="shop", namespace="default", containers=(WEB,)),)
    failure: Exception | None = None
    choice: DiscoveryChoice = field(
        factory=lambda: DiscoveryChoice(name="procfs", reason="No runtime answers.")
    )

    async def pods(self) -> tuple[Pod, ...]:
        if self.failure:
            raise self.failure
        return self.listed


@define
class StandInSessions:
    """Sessions without a kernel: states change, nothing else happens."""

    discovery: StandInPods
    node: str = "worker-1"
    catalogue: HookCatalogue = field(
        factory=lambda: HookCatalogue(
            {"trace_syscalls": StandInHook()}, frozenset({"raw_syscalls:sys_enter"})
        )
    )
    kept: dict[str, TraceSession] = field(factory=dict)
    asked: list[SessionRequest] = field(factory=list)
    calls: list[str] = field(factory=list)
    callers: list[SpanContext | None] = field(factory=list)
    failure: Exception | None = None
    reason: str = ""
    entered: asyncio.Event = field(factory=asyncio.Event)
    gate: asyncio.Event = field(factory=asyncio.Event)
    making: asyncio.Event = field(factory=asyncio.Event)
    live: LiveSpans = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.live = LiveSpans(node=self.node, clock=SystemClock(), statistics=self.statistics)

    async def create(self, request: SessionRequest) -> TraceSession:
        if self.failure:
            raise self.failure
        hook = self.catalogue.find(request.hook)
        plan = hook.plan(request.arguments, self.catalogue.events)
        selected = request.selector.select(self.discovery.listed)
        admitted = admit_some(selected, vmm=request.vmm)
        self.asked.append(request)
        session = self.keep(
            TraceSession(
                session_id=str(2**64 - 1 - len(self.kept)),
                request=request,
                plan=plan,
                containers=admitted.taken,
                refused=admitted.refused,
                state=SessionState.RUNNING if request.run else SessionState.CREATED,
                created_ns=1_795_166_100_250_000_000,
            )
        )
        await self.making.wait()
        return session

    def keep(self, session: TraceSession) -> TraceSession:
        self.kept[session.session_id] = session
        return session

    def get(self, session_id: str) -> TraceSession:
        if session_id not in self.kept:
            raise UnknownSession(f"There is no trace session {session_id!r} on this node.")
        return self.kept[session_id]

    def find(self, known_as: str) -> Sequence[TraceSession]:
        group = [one for one in self.kept.values() if one.request.group == known_as]
        return group or [self.get(known_as)]

    async def start(self, session_id: str, *, caller: SpanContext | None = None) -> None:
        self.calls.append(f"start {session_id}")
        self.callers.append(caller)
        self.entered.set()
        await self.gate.wait()
        self.get(session_id).state = SessionState.RUNNING

    async def stop(self, session_id: str) -> None:
        self.calls.append(f"stop {session_id}")
        if self.get(session_id).running:
            self.get(session_id).state = SessionState.STOPPED

    async def delete(self, session_id: str) -> None:
        self.get(session_id)
        del self.kept[session_id]

    async def delete_each(self, session_ids: Iterable[str]) -> None:
        for session_id in session_ids:
            self.kept.pop(session_id, None)

    async def statistics(self, session: TraceSession) -> SessionStats:
        del session
        return SessionStats(
            attributed=1200,
            filtered_out=1000,
            open=2,
            spans=99,
            exporters={"console": ExporterStats(delivered=198, delivered_spans=99)},
            attributed_by_cpu={0: 1200},
            source=SOURCE,
        )

    async def summary(self, session: TraceSession) -> RunSummary:
        summary = Summary()
        summary.add(awkward_batch())
        return RunSummary(
            started_ns=session.started_ns,
            until_ns=session.ended_ns,
            statistics=await self.statistics(session),
            summary=summary,
        )

    def watching(self, session: TraceSession, frame: Frame) -> AbstractContextManager[Watcher]:
        return self.live.watching(session, frame)

    def watchers(self) -> tuple[int, int]:
        return self.live.watchers, self.live.dropped_spans

    async def sources(self) -> Mapping[str, SourceStats]:
        return {"syscalls": SOURCE}

    def unavailable(self) -> str:
        return self.reason

    def list(self) -> Sequence[TraceSession]:
        return list(self.kept.values())


@frozen
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def media_type(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0]


@define
class Node:
    """A client of the application, and what stands behind it."""

    app: App
    sessions: StandInSessions
    pods: StandInPods
    port: int
    http: aiohttp.ClientSession

    async def ask(self, method: str, path: str, **how: Any) -> Answer:
        async with self.http.request(method, path, **how) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def send(self, method: str, path: str, body: bytes | str) -> Answer:
        headers = {"Content-Type": "application/json"}
        return await self.ask(method, path, data=body, headers=headers)

    async def create(self, **body: Any) -> Answer:
        wanted = {"pod": "*", "container": "*", "trace-hook": "trace_syscalls", **body}
        return await self.ask("POST", "/v1/trace-session", json=wanted)


@asynccontextmanager
async def node_behind(gate: Gate, spans: OwnSpans | None = None) -> AsyncIterator[Node]:
    """Serve a node that lets in who passes a gate, and has spans of its own."""
    Sanic.test_mode = True
    pods = StandInPods()
    sessions = StandInSessions(pods)
    sessions.gate.set()
    sessions.making.set()
    context = NodeContext(
        pods=pods,
        sessions=sessions,
        choice=lambda: pods.choice,
        spans=spans or OwnSpans(clock=SystemClock()),
        metrics=node_metrics(sessions, lambda: pods.choice),
    )
    app = build_app("test-node", context, node_blueprints(), gate)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        async with (
            serving(app, sock, grace_seconds=0.5),
            aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
        ):
            yield Node(app, sessions, pods, port, http)


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    async with node_behind(Gate()) as node:
        yield node


@pytest.fixture
def logs_left_as_found() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
