"""A node whose kernel, pods, exporters and clock are fakes; everything between is real."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import pytest
from attrs import define, evolve, field
from structlog.testing import capture_logs

from container_tracer.domain.model.hooks.trace_syscalls import TraceSyscalls
from container_tracer.domain.model.pod import Container, Pod, Task
from container_tracer.domain.model.selector import ContainerSelector
from container_tracer.domain.model.session_request import SessionRequest
from container_tracer.domain.model.single_span import SingleSpan
from container_tracer.domain.model.spans import SpanBatch
from container_tracer.domain.model.task_events import TASK_EVENTS
from container_tracer.domain.services.admission import SessionSettings
from container_tracer.domain.services.inventory import PodInventory
from container_tracer.domain.services.open_span import OpenSpan
from container_tracer.domain.services.opening import SourceOpening
from container_tracer.domain.services.own_spans import OwnSpans
from container_tracer.domain.services.sessions import TraceSessions
from container_tracer.domain.services.shared_source import SharedSource
from container_tracer.domain.services.sources import TraceSources
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.event_record import FieldValue
from container_tracer.fakes.kernel_tracer import FakeKernelTracer
from container_tracer.fakes.pod_discovery import FakePodDiscovery
from container_tracer.fakes.session_repository import FakeSessionRepository
from container_tracer.fakes.span_exporter import FakeSpanExporter
from container_tracer.fakes.task_directory import FakeTaskDirectory
from container_tracer.ports.kernel_tracer import SourceSettings

CALLS = ("getppid", "read", "openat")
"""The calls this kernel has."""


@define(eq=False)
class SeenSpans:
    """Every span of a tracer's own that is over, exported or not."""

    over: list[SingleSpan] = field(factory=list)
    sampled: set[bytes] = field(factory=set)

    def began(self, span: OpenSpan) -> None:
        if span.context.sampled:
            self.sampled.add(span.context.span_id)

    def ended(self, span: SingleSpan) -> None:
        self.over.append(span)

    @property
    def exported(self) -> list[SingleSpan]:
        return [one for one in self.over if one.span_id in self.sampled]

    def named(self, name: str) -> list[SingleSpan]:
        return [one for one in self.over if one.name == name]


@define(kw_only=True, eq=False)
class World:
    """What tests do to a node, and see of it."""

    kernel: FakeKernelTracer
    executor: Executor
    discovery: FakePodDiscovery = field(factory=FakePodDiscovery)
    directory: FakeTaskDirectory = field(factory=FakeTaskDirectory)
    clock: FakeClock = field(factory=FakeClock)
    exporter: FakeSpanExporter = field(factory=FakeSpanExporter)
    other_exporter: FakeSpanExporter = field(factory=lambda: FakeSpanExporter("other"))
    repository: FakeSessionRepository = field(factory=FakeSessionRepository)
    seen: SeenSpans = field(factory=SeenSpans)
    own_spans: OwnSpans = field(init=False)
    sources: TraceSources = field(init=False)
    sessions: TraceSessions = field(init=False)
    logs: list[MutableMapping[str, Any]] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.own_spans = OwnSpans(clock=self.clock, observers=[self.seen])
        opening = SourceOpening(
            tracer=self.kernel,
            discovery=self.discovery,
            directory=self.directory,
            clock=self.clock,
            executor=self.executor,
            settings=SourceSettings(),
            spans=self.own_spans,
        )
        self.sources = TraceSources(opening=opening, clock=self.clock)
        self.sessions = TraceSessions(
            settings=SessionSettings(node="node-1", exporters=("fake",), max_sessions=8),
            hooks=(TraceSyscalls(),),
            inventory=PodInventory(
                discovery=self.discovery,
                directory=self.directory,
                clock=self.clock,
                spans=self.own_spans,
            ),
            trace_sources=self.sources,
            tracer=self.kernel,
            exporters={"fake": self.exporter, "other": self.other_exporter},
            repository=self.repository,
            clock=self.clock,
            spans=self.own_spans,
        )

    # What the machine does.

    def container(
        self, name: str, *tids: int, namespace: str = "", isolated: bool = False
    ) -> Container:
        """Let a container run, each of whose tasks is a process of its own."""
        one = Container(name=name, pod=f"pod-{name}", namespace=namespace, isolated=isolated)
        pod = Pod(name=one.pod, namespace=namespace, containers=(one,))
        self.discovery.pods.append(pod)
        self.directory.tasks[one.key] = ()
        for tid in tids:
            self.enter(one, tid)
        return one

    def enter(self, container: Container, tid: int) -> None:
        """Let a process be in a container, without an event."""
        task = Task(tid=tid, pid=tid, command="worker", start_time=tid)
        self.directory.tasks[container.key] = (*self.directory.tasks[container.key], task)

    def vanish(self, *tids: int) -> None:
        """Let processes be gone, without an event; with the last one, its container."""
        for pod in list(self.discovery.pods):
            for container in pod.containers:
                before = self.directory.tasks.get(container.key, ())
                left = tuple(one for one in before if one.tid not in tids)
                self.directory.tasks[container.key] = left
                if before and not left:
                    self.remove(container)

    def remove(self, container: Container, *, keep_pod: bool = False) -> None:
        """Let the runtime list a container no more, nor its pod if nothing else is in it."""
        for number, pod in enumerate(self.discovery.pods):
            left = tuple(one for one in pod.containers if one.key != container.key)
            self.discovery.pods[number] = evolve(pod, containers=left)
        self.discovery.pods[:] = [
            pod
            for pod in self.discovery.pods
            if pod.containers or (keep_pod and pod.name == container.pod)
        ]

    def emit(self, event: str, values: Mapping[str, FieldValue] | None = None, *, tid: int) -> None:
        """Let an event happen, and time pass."""
        self.kernel.emit(event, values, tid=tid, at_ns=self.clock.trace)
        self.clock.trace += 1_000
        self.clock.wall += 1_000

    def enter_call(self, tid: int, name: str = "getppid") -> None:
        self.emit(f"syscalls:sys_enter_{name}", tid=tid)

    def return_from(self, tid: int, name: str = "getppid", result: int = 0) -> None:
        self.emit(f"syscalls:sys_exit_{name}", {"ret": result}, tid=tid)

    def call(self, tid: int, name: str = "getppid", *, times: int = 1, result: int = 0) -> None:
        """Let a task make a call that takes a microsecond."""
        for _ in range(times):
            self.enter_call(tid, name)
            self.return_from(tid, name, result)

    def fork(self, container: Container, parent: int, child: int) -> None:
        self.emit("task:task_newtask", {"pid": child, "comm": "child"}, tid=parent)
        self.enter(container, child)

    def exit(self, *tids: int) -> None:
        for tid in tids:
            self.emit("sched:sched_process_exit", tid=tid)
        self.vanish(*tids)

    # What is asked of the node, and seen of it.

    def request(self, name: str = "*", **changes: object) -> SessionRequest:
        """Ask for a session of the containers of that name that runs at once."""
        wanted: dict[str, object] = {
            "selector": ContainerSelector(container=name),
            "hook": "trace_syscalls",
            "run": True,
        }
        return SessionRequest(**{**wanted, **changes})  # type: ignore[arg-type]

    def spans(self, session_id: str = "", exporter: str = "fake") -> list[tuple[str, int, str]]:
        """Call, thread and outcome of all spans delivered, of one session or all."""
        sinks = {"fake": self.exporter, "other": self.other_exporter}[exporter].sinks
        chosen = [one for one in sinks if session_id in ("", one.context.session_id)]
        return [row for sink in chosen for batch in sink.batches for row in rows(batch)]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition; that it never holds is a failure."""
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            await asyncio.sleep(0.001)

    async def gone(self) -> None:
        """Wait until nothing is left in the kernel."""
        await self.until(lambda: not self.kernel.open_sources)

    @property
    def shared(self) -> list[SharedSource]:
        """The sources that can be joined."""
        return self.sources._sources


def rows(batch: SpanBatch) -> list[tuple[str, int, str]]:
    outcomes = [int(one) for one in batch.outcome]
    return [
        (batch.kinds[kind].name, int(tid), "" if not outcome else str(outcome))
        for kind, tid, outcome in zip(batch.kind, batch.tid, outcomes, strict=True)
    ]


@pytest.fixture
async def world(recorded_format_texts: dict[str, str]) -> AsyncIterator[World]:
    names = {f"syscalls:sys_{end}_{call}" for call in CALLS for end in ("enter", "exit")}
    formats = {name: recorded_format_texts[name] for name in names | set(TASK_EVENTS)}
    with capture_logs() as logs, ThreadPoolExecutor(max_workers=1) as executor:
        made = World(kernel=FakeKernelTracer(formats=formats), executor=executor, logs=logs)
        yield made
        made.kernel.failures.clear()
        made.exporter.gate.set()
        made.other_exporter.gate.set()
        await asyncio.wait_for(made.sessions.close(), 20)
        assert made.kernel.open_sources == []
        others = [t.get_name() for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        assert [one for one in others if "world" not in one and "Task-" not in one] == []
