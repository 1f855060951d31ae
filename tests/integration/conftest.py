"""A real kernel, programs with known numbers of calls, and a node that traces them."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import define, field
from numpy.typing import NDArray

from container_tracer.adapters.memory.sessions import MemorySessionRepository
from container_tracer.adapters.procfs.processes import ProcessReader
from container_tracer.adapters.system.clock import SystemClock
from container_tracer.adapters.system.threads import drain_executor
from container_tracer.adapters.tracefs.tracer import TracefsKernelTracer, TracefsSettings
from container_tracer.domain.model.hooks.trace_syscalls import TraceSyscalls
from container_tracer.domain.model.pod import Container, Pod, Task
from container_tracer.domain.model.selector import ContainerSelector
from container_tracer.domain.model.session import TraceSession
from container_tracer.domain.model.session_request import SessionRequest
from container_tracer.domain.model.stats import CpuCounters, parse_cpu_counters
from container_tracer.domain.services.admission import SessionSettings
from container_tracer.domain.services.inventory import PodInventory
from container_tracer.domain.services.opening import SourceOpening
from container_tracer.domain.services.sessions import TraceSessions
from container_tracer.domain.services.sources import TraceSources
from container_tracer.fakes.span_exporter import FakeSpanExporter
from container_tracer.ports.kernel_tracer import SourceSettings

INSTANCES = Path("/sys/kernel/tracing/instances")
CALLS_OF_A_ROUND = {
    "read": 2,
    "write": 1,
    "openat": 2,
    "close": 1,
    "lseek": 1,
    "getppid": 1,
}
ONLY_THESE = "-s " + ",".join(CALLS_OF_A_ROUND)


@define(eq=False)
class Workload:
    """The program of `workload.c`, in a session (setsid) of its own."""

    process: "subprocess.Popen[str]"

    @property
    def pid(self) -> int:
        return self.process.pid

    def tell(self, line: str) -> list[int]:
        """Say a line, and return the numbers it is answered with: rounds made, then tids."""
        self.say(line)
        return self.answer()

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def answer(self) -> list[int]:
        assert self.process.stdout is not None
        ok, *numbers = self.process.stdout.readline().split()
        assert ok == "ok"
        return [int(number) for number in numbers]

    def wait_until_idle(self) -> None:
        """Wait until the first thread waits for the next line."""
        state = Path(f"/proc/{self.pid}/stat")
        deadline = time.monotonic() + 10
        while " S " not in state.read_text().rpartition(")")[2][:4]:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def tids(self) -> list[int]:
        """Return the threads it has now, the first one first."""
        return sorted(int(one.name) for one in Path(f"/proc/{self.pid}/task").iterdir())

    def end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.process.stdout.close()


@define
class ProcessSessions:
    """Pods whose only container is all processes of some sessions (setsid), by their leaders.

    Both the discovery and the task directory of a node.
    """

    leaders: dict[str, set[int]] = field(factory=dict)
    name: str = "sessions"

    async def discover(self) -> tuple[Pod, ...]:
        there = [name for name, leaders in self.leaders.items() if await self._live(leaders)]
        return tuple(Pod(name=one, containers=(Container(name=one, pod=one),)) for one in there)

    async def _live(self, leaders: set[int]) -> bool:
        return bool(await asyncio.to_thread(self._tasks, leaders))

    async def describe(self, container_id: str) -> Container | None:
        raise NotImplementedError  # these containers have no ids

    async def changes(self) -> AsyncIterator[None]:
        return
        yield

    async def runtime_pids(self) -> tuple[int, ...]:
        return ()

    async def locate(self, containers: Sequence[Container]) -> tuple[Container, ...]:
        return tuple(containers)

    async def launchers_of(
        self, containers: Sequence[Container], runtimes: Collection[int]
    ) -> tuple[Task, ...]:
        del containers, runtimes
        return ()

    async def living(self, tids: Collection[int]) -> frozenset[int]:
        return frozenset(tids)

    async def container_of(self, tid: int) -> str:
        del tid
        return ""

    async def tasks_of(self, container: Container) -> tuple[Task, ...]:
        return await asyncio.to_thread(self._tasks, self.leaders.get(container.name, set()))

    def _tasks(self, leaders: set[int]) -> tuple[Task, ...]:
        reader = ProcessReader("/proc")
        pids = [int(one.name) for one in Path("/proc").iterdir() if one.name.isdecimal()]
        mine = [pid for pid in pids if session_of(pid) in leaders]
        return tuple(task for pid in mine for task in reader.tasks(pid))


def session_of(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0


@define(kw_only=True, eq=False)
class Node:
    """Everything of a node but its API; spans go to `exporter`."""

    identity: str
    discovery: ProcessSessions = field(factory=ProcessSessions)
    exporter: FakeSpanExporter = field(factory=FakeSpanExporter)
    sources: TraceSources
    sessions: TraceSessions

    async def trace(self, *names: str, arguments: str = ONLY_THESE, **more: Any) -> TraceSession:
        """Trace the workloads of these names."""
        pattern = names[0] if len(names) == 1 else "*"
        request = SessionRequest(
            selector=ContainerSelector(container=pattern),
            hook="trace_syscalls",
            arguments=arguments,
            run=True,
            **more,
        )
        return await self.sessions.create(request)

    async def stop(self, session: TraceSession) -> None:
        await self.sessions.stop(session.session_id)
        assert session.error == ""

    def columns(self, session: TraceSession, run: int = -1) -> dict[str, NDArray[Any]]:
        """Return the spans of one run of a session, as columns, `name` among them."""
        mine = [one for one in self.exporter.sinks if one.context.session_id == session.session_id]
        batches = mine[run].batches
        parts: dict[str, list[NDArray[Any]]] = {}
        for batch in batches:
            names = np.array([kind.name for kind in batch.kinds])
            parts.setdefault("name", []).append(names[batch.kind])
            for column in ("start_ns", "end_ns", "tid", "pid", "arguments", "result", "outcome"):
                parts.setdefault(column, []).append(getattr(batch, column))
        return {name: np.concatenate(some) for name, some in parts.items()}

    def instances(self) -> list[str]:
        return [one.name for one in INSTANCES.iterdir() if self.identity in one.name]

    def kernel_counters(self) -> list[CpuCounters]:
        """Read the kernel's own numbers of the only source."""
        (name,) = self.instances()
        return [
            parse_cpu_counters(int(cpu.name[3:]), (cpu / "stats").read_text())
            for cpu in sorted((INSTANCES / name / "per_cpu").glob("cpu*"))
        ]


def make_node(identity: str, settings: SourceSettings) -> Node:
    tracer = TracefsKernelTracer(TracefsSettings(identity=identity))
    discovery, exporter, clock = ProcessSessions(), FakeSpanExporter(), SystemClock()
    opening = SourceOpening(
        tracer=tracer,
        discovery=discovery,
        directory=discovery,
        clock=clock,
        executor=drain_executor(),
        settings=settings,
    )
    sources = TraceSources(opening=opening, clock=clock)
    sessions = TraceSessions(
        settings=SessionSettings(node=identity, exporters=("fake",)),
        hooks=(TraceSyscalls(),),
        inventory=PodInventory(discovery=discovery, directory=discovery, clock=clock),
        trace_sources=sources,
        tracer=tracer,
        exporters={"fake": exporter},
        repository=MemorySessionRepository(),
        clock=clock,
    )
    return Node(
        identity=identity,
        discovery=discovery,
        exporter=exporter,
        sources=sources,
        sessions=sessions,
    )


def require_kernel() -> None:
    if os.geteuid() != 0 or not INSTANCES.is_dir():
        pytest.skip("needs root and tracefs at /sys/kernel/tracing")


@pytest.fixture
def identity() -> str:
    """A name for what this test has in the kernel, which no other test has."""
    return f"test-{os.getpid()}-{time.monotonic_ns():x}"


@pytest.fixture
async def make(identity: str) -> AsyncIterator[Callable[..., Node]]:
    """Make nodes; all they have in the kernel is gone after the test."""
    require_kernel()
    made: list[Node] = []

    def one(**settings: Any) -> Node:
        made.append(make_node(f"{identity}-{len(made)}", SourceSettings(**settings)))
        return made[-1]

    yield one
    for node in made:
        await asyncio.wait_for(node.sessions.close(), 30)
        node.sources.opening.executor.shutdown()
        assert node.instances() == []


@pytest.fixture
def node(make: Callable[..., Node]) -> Node:
    return make()


@pytest.fixture(scope="session")
def workload_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("gcc"):
        pytest.skip("needs gcc, for a program that makes known numbers of calls")
    program = tmp_path_factory.mktemp("workload") / "workload"
    source = Path(__file__).with_name("workload.c")
    subprocess.run(["gcc", "-O1", "-pthread", "-o", program, source], check=True)
    return program


@pytest.fixture
def run_workload(workload_program: Path) -> Iterator[Callable[..., Workload]]:
    """Start workloads: `run(node, "web", threads=2)`, after a prefix such as `unshare`."""
    started: list[Workload] = []

    def run(
        node: Node | None = None, name: str = "", *, threads: int = 0, prefix: Iterable[str] = ()
    ) -> Workload:
        process = subprocess.Popen(
            [*prefix, workload_program, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(Workload(process))
        started[-1].answer()
        if node is not None:
            node.discovery.leaders.setdefault(name, set()).add(process.pid)
        return started[-1]

    yield run
    for one in started:
        one.end()
