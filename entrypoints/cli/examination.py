"""Looking at this machine: adapters are asked for facts, and nothing is left behind."""

from contextlib import suppress
from pathlib import Path

from attrs import evolve, frozen

from ...adapters.cri.runtimes import CriRuntimes
from ...adapters.procfs.discovery import ProcfsPodDiscovery
from ...adapters.system.call_price import getppid_ns
from ...adapters.system.machine import MachineReader
from ...adapters.system.tracefs_survey import survey_tracefs
from ...adapters.tracefs.mount import find_tracefs
from ...adapters.tracefs.tracer import TracefsKernelTracer, TracefsSettings
from ...domain.model.diagnosis.facts import (
    BystanderPrice,
    HookFacts,
    MachineFacts,
    RuntimeFacts,
    SurroundingFacts,
    TracefsFacts,
)
from ...domain.model.hook import HookCatalogue
from ...ports.errors import DiscoveryFailed, PortError, RuntimeUnsuitable, TracingUnavailable
from ...ports.kernel_tracer import KernelTracer, SourceSettings
from ..node.hooks import built_in_hooks

GETPPID = frozenset({"syscalls:sys_enter_getppid", "syscalls:sys_exit_getppid"})
_SMALL_KIB = 64


@frozen(kw_only=True)
class ExaminationSettings:
    """Where to look. `node_name` is the node's: it removes an instance that a kill left behind."""

    node_name: str
    procfs: Path = Path("/proc")
    sysfs: Path = Path("/sys")
    run_paths: tuple[Path, ...] = (Path("/run"), Path("/var/run"))
    cri_endpoint: str = ""
    measure: bool = True


async def examine(settings: ExaminationSettings) -> MachineFacts:
    """Gather the facts about this machine; takes under a second."""
    reader = MachineReader(
        procfs=settings.procfs, sysfs=settings.sysfs, run_paths=settings.run_paths
    )
    tracefs = survey_tracefs(_tracefs_folder(settings.sysfs))
    return MachineFacts(
        process=reader.process(),
        kernel=reader.kernel(),
        hardware=reader.hardware(),
        tracefs=tracefs,
        surroundings=await _surroundings(reader, settings),
        hooks=_hooks(tracefs),
        price=_price(settings),
        buffer_kib=SourceSettings().buffer_kib,
    )


def _tracefs_folder(sysfs: Path) -> Path:
    with suppress(TracingUnavailable):
        return find_tracefs(sysfs)
    return sysfs / "kernel/tracing"


def _hooks(tracefs: TracefsFacts) -> tuple[HookFacts, ...]:
    hooks = {hook.name: hook for hook in built_in_hooks()}
    catalogue = HookCatalogue(hooks, frozenset(tracefs.events.words))
    return tuple(
        HookFacts(name=name, unavailable=catalogue.unavailable(hook))
        for name, hook in hooks.items()
    )


async def _surroundings(reader: MachineReader, settings: ExaminationSettings) -> SurroundingFacts:
    facts = reader.surroundings()
    if settings.cri_endpoint:
        facts = evolve(facts, cri_sockets={settings.cri_endpoint: True})
    sockets = [path for path, usable in facts.cri_sockets.items() if usable]
    asked = tuple([await _asked(path) for path in sockets])
    return await _with_containers(evolve(facts, runtimes=asked), settings)


async def _asked(socket: str) -> RuntimeFacts:
    runtime = CriRuntimes().open(socket)
    try:
        return RuntimeFacts(
            socket=socket, title=await runtime.verify(), pods=len(await runtime.discover())
        )
    except DiscoveryFailed as error:
        unsuitable = isinstance(error, RuntimeUnsuitable)
        return RuntimeFacts(socket=socket, refusal=str(error), unsuitable=unsuitable)
    finally:
        await runtime.close()


async def _with_containers(
    facts: SurroundingFacts, settings: ExaminationSettings
) -> SurroundingFacts:
    discovery = ProcfsPodDiscovery(
        procfs=settings.procfs, sysfs=settings.sysfs, run_paths=settings.run_paths
    )
    try:
        pods = await discovery.discover()
    except PortError as error:
        return evolve(facts, containers_refusal=str(error))
    containers = [container for pod in pods for container in pod.containers]
    isolated = sum(container.isolated for container in containers)
    return evolve(facts, containers=len(containers), isolated_containers=isolated)


def _price(settings: ExaminationSettings) -> BystanderPrice:
    if not settings.measure:
        return BystanderPrice(skipped="--no-measure was given.")
    tracer = TracefsKernelTracer(TracefsSettings(identity=settings.node_name, sysfs=settings.sysfs))
    try:
        return measure_price(tracer)
    except PortError as error:
        return BystanderPrice(skipped=str(error))


def measure_price(tracer: KernelTracer) -> BystanderPrice:
    """Time a system call without, then with a source that traces nobody; raise `PortError`.

    The source is removed whatever happens: this never gives way to the event loop, which is
    where signals are taken.
    """
    idle_ns = getppid_ns()
    source = tracer.open_source(GETPPID, (), SourceSettings(buffer_kib=_SMALL_KIB))
    try:
        source.start()
        traced_ns = getppid_ns()
    finally:
        source.close()
    return BystanderPrice(idle_ns=idle_ns, traced_ns=traced_ns)
