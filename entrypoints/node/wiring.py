"""How the node role is put together: the one place that knows every adapter."""

import sys
from collections.abc import Callable
from concurrent.futures import Executor

from dependency_injector import containers, providers

from ...adapters.console.span_exporter import ConsoleSpanExporter
from ...adapters.cri.runtimes import CriRuntimes
from ...adapters.files.file_format import FILE_FORMATS
from ...adapters.files.span_exporter import FileSpanExporter
from ...adapters.memory.sessions import MemorySessionRepository
from ...adapters.otlp.span_exporter import OtlpSpanExporter
from ...adapters.procfs.discovery import ProcfsPodDiscovery
from ...adapters.procfs.tasks import ProcfsTaskDirectory
from ...adapters.system.clock import SystemClock
from ...adapters.system.threads import drain_executor
from ...adapters.tracefs.tracer import TracefsKernelTracer, TracefsSettings
from ...domain.model.discovery_choice import DiscoveryChoice
from ...domain.model.hook import TraceHook
from ...domain.model.span_attributes import ServiceResource
from ...domain.model.span_book import SpanBook
from ...domain.services.admission import SessionSettings
from ...domain.services.chosen_discovery import ChosenDiscovery
from ...domain.services.container_watch import ContainerWatch
from ...domain.services.found_collector import FoundCollector
from ...domain.services.guests.forwarder import SpanForwarder
from ...domain.services.inventory import PodInventory
from ...domain.services.opening import SourceOpening
from ...domain.services.own_spans import OwnSpans
from ...domain.services.sessions import TraceSessions
from ...domain.services.sources import TraceSources
from ...domain.services.upkeep import Upkeep
from ...ports.access_control import AccessControl
from ...ports.clock import Clock
from ...ports.kernel_tracer import KernelTracer, SourceSettings
from ...ports.session_repository import SessionRepository
from ...ports.span_exporter import SpanExporter
from ...ports.task_directory import TaskDirectory
from ..exporting import jaeger_address, service_resource, single_span_exporters
from ..looking_for_jaeger import found_collector
from ..rest.access import access_control, gate
from ..rest.access_metrics import AccessMetrics
from ..rest.app import build_app
from ..rest.client_certificates import client_certificates
from ..rest.context import App, Context
from ..rest.gate import Gate
from ..rest.metrics import Metrics
from ..rest.own_span_metrics import OwnSpanMetrics
from ..rest.tls import TlsUses, tls_uses
from ..rest.tls_metrics import TlsMetrics
from ..zpages.server import build_zpages
from .context import NodeContext
from .guest_metrics import GuestMetrics
from .guests import span_forwarder
from .hooks import built_in_hooks
from .inventory_metrics import InventoryMetrics
from .metrics import node_metrics
from .routes import node_blueprints
from .settings import PROGRAM, NodeSettings


def _exporters(settings: NodeSettings, found: FoundCollector | None) -> dict[str, SpanExporter]:
    files = {
        name: FileSpanExporter(
            settings.trace_file_directory,
            format=file_format,
            node=settings.node_name,
            tags=settings.tags,
            name=name,
        )
        for name, file_format in FILE_FORMATS.items()
    }
    console = {"console": ConsoleSpanExporter(sys.stdout, settings.node_name, settings.tags)}
    otlp = {"otlp": OtlpSpanExporter(settings=settings.otlp, resource=_resource(settings))}
    return {**console, **files, **_jaeger(settings, found), **otlp}


def _jaeger(settings: NodeSettings, found: FoundCollector | None) -> dict[str, SpanExporter]:
    if not settings.jaeger_url and settings.jaeger_agent is None:
        return {}
    # Few need it, and it loads the OpenTelemetry SDK.
    from ...adapters.jaeger.span_exporter import JaegerSpanExporter  # noqa: PLC0415

    return {
        "jaeger": JaegerSpanExporter(
            address=jaeger_address(settings, found), resource=_resource(settings)
        )
    }


def _resource(settings: NodeSettings) -> ServiceResource:
    return service_resource(settings, node=settings.node_name)


def _spans(
    settings: NodeSettings, clock: Clock, found: FoundCollector | None, book: SpanBook
) -> OwnSpans:
    return OwnSpans(
        exporters=single_span_exporters(settings, node=settings.node_name, found=found),
        observers=[book],
        clock=clock,
        keeps=settings.sample_rate.keeps,
    )


def _tracer(settings: NodeSettings) -> KernelTracer:
    return TracefsKernelTracer(
        TracefsSettings(
            identity=settings.node_name,
            sysfs=settings.sysfs_path,
            mount=settings.mount_tracefs,
        )
    )


def _discovery(settings: NodeSettings, clock: Clock) -> ChosenDiscovery:
    return ChosenDiscovery(
        runtimes=CriRuntimes(
            endpoint=settings.cri_endpoint,
            procfs=settings.procfs_path,
            run_paths=settings.run_paths,
        ),
        fallback=ProcfsPodDiscovery(
            procfs=settings.procfs_path, sysfs=settings.sysfs_path, run_paths=settings.run_paths
        ),
        clock=clock,
        # A runtime that was named is the right one without further proof.
        pod_name="" if settings.cri_endpoint else settings.pod_name,
        forced=settings.use_procfs,
    )


def _choice(discovery: ChosenDiscovery) -> Callable[[], DiscoveryChoice]:
    return lambda: discovery.choice


def _directory(settings: NodeSettings) -> TaskDirectory:
    return ProcfsTaskDirectory(procfs=settings.procfs_path, sysfs=settings.sysfs_path)


def _session_settings(settings: NodeSettings) -> SessionSettings:
    return SessionSettings(
        node=settings.node_name,
        exporters=settings.exporters,
        sample_rate=settings.sample_rate,
        max_sessions=settings.max_sessions,
    )


def _source_settings(settings: NodeSettings) -> SourceSettings:
    return SourceSettings(buffer_kib=settings.buffer_kib)


def _book(clock: Clock) -> SpanBook:
    return SpanBook(since_ns=clock.wall_ns())


def _access(settings: NodeSettings, clock: Clock) -> AccessControl:
    return access_control(settings.access, clock)


def _gate(settings: NodeSettings, access: AccessControl) -> Gate:
    return gate(access, address=settings.address, request_rate=settings.request_rate)


class NodeWiring(containers.DeclarativeContainer):
    """Builds, and only builds: nothing here opens, reads or waits. Tests override providers."""

    settings: providers.Dependency[NodeSettings] = providers.Dependency(instance_of=NodeSettings)

    clock: providers.Provider[Clock] = providers.Singleton(SystemClock)
    jaeger: providers.Provider[FoundCollector | None] = providers.Singleton(
        found_collector, settings, clock
    )
    book: providers.Provider[SpanBook] = providers.Singleton(_book, clock)
    spans: providers.Provider[OwnSpans] = providers.Singleton(_spans, settings, clock, jaeger, book)
    executor: providers.Provider[Executor] = providers.Singleton(drain_executor)
    tracer: providers.Provider[KernelTracer] = providers.Singleton(_tracer, settings)
    discovery: providers.Provider[ChosenDiscovery] = providers.Singleton(
        _discovery, settings, clock
    )
    choice: providers.Provider[Callable[[], DiscoveryChoice]] = providers.Callable(
        _choice, discovery
    )
    directory: providers.Provider[TaskDirectory] = providers.Singleton(_directory, settings)
    repository: providers.Provider[SessionRepository] = providers.Singleton(MemorySessionRepository)
    exporters: providers.Provider[dict[str, SpanExporter]] = providers.Singleton(
        _exporters, settings, jaeger
    )
    hooks: providers.Provider[tuple[TraceHook, ...]] = providers.Singleton(built_in_hooks)

    inventory: providers.Provider[PodInventory] = providers.Singleton(
        PodInventory, discovery=discovery, directory=directory, clock=clock, spans=spans
    )
    watch: providers.Provider[ContainerWatch] = providers.Singleton(
        ContainerWatch, tracer=tracer, directory=directory, inventory=inventory, clock=clock
    )
    upkeep: providers.Provider[Upkeep] = providers.Singleton(
        Upkeep, watch=watch, inventory=inventory
    )
    opening: providers.Provider[SourceOpening] = providers.Singleton(
        SourceOpening,
        tracer=tracer,
        discovery=discovery,
        directory=directory,
        watch=watch,
        clock=clock,
        spans=spans,
        executor=executor,
        settings=providers.Factory(_source_settings, settings),
    )
    sources: providers.Provider[TraceSources] = providers.Singleton(
        TraceSources, opening=opening, clock=clock
    )
    sessions: providers.Provider[TraceSessions] = providers.Singleton(
        TraceSessions,
        settings=providers.Factory(_session_settings, settings),
        hooks=hooks,
        inventory=inventory,
        trace_sources=sources,
        tracer=tracer,
        exporters=exporters,
        repository=repository,
        clock=clock,
        spans=spans,
    )
    forwarder: providers.Provider[SpanForwarder | None] = providers.Singleton(
        span_forwarder, settings, inventory, clock, jaeger, spans
    )
    tls: providers.Provider[TlsUses] = providers.Singleton(tls_uses, settings.provided.tls)
    access: providers.Provider[AccessControl] = providers.Singleton(_access, settings, clock)
    metrics: providers.Provider[Metrics] = providers.Singleton(
        node_metrics,
        sessions,
        choice,
        providers.List(
            providers.Factory(InventoryMetrics, upkeep),
            providers.Factory(AccessMetrics, access),
            providers.Factory(TlsMetrics, tls),
            providers.Factory(OwnSpanMetrics, spans),
            providers.Factory(GuestMetrics, forwarder),
        ),
    )
    gate: providers.Provider[Gate] = providers.Singleton(_gate, settings, access)
    zpages: providers.Provider[App | None] = providers.Singleton(
        build_zpages,
        PROGRAM,
        providers.Factory(Context, metrics=metrics, spans=spans, book=book),
        address=settings.provided.zpages_address,
        request_rate=settings.provided.request_rate,
    )
    app: providers.Provider[App] = providers.Singleton(
        build_app,
        PROGRAM,
        providers.Factory(
            NodeContext,
            pods=inventory,
            sessions=sessions,
            choice=choice,
            spans=spans,
            metrics=metrics,
            book=book,
        ),
        providers.Callable(node_blueprints),
        gate,
        providers.Callable(client_certificates, settings.provided.tls),
    )
