"""How the svc role is put together: the one place that knows its adapters."""

from collections.abc import Callable, Sequence

from dependency_injector import containers, providers
from sanic import Blueprint

from ...adapters.http.connections import NodeTls
from ...adapters.http.node_client import HttpNodeClient
from ...adapters.memory.node_directory import FixedNodeDirectory
from ...adapters.system.clock import SystemClock
from ...domain.model.nodes import Nodes
from ...domain.model.span_book import SpanBook
from ...domain.services.broadcast import Broadcast
from ...domain.services.cluster_sessions import ClusterSessions
from ...domain.services.found_collector import FoundCollector
from ...domain.services.merged_events import MergedStreams
from ...domain.services.node_roster import NodeRoster
from ...domain.services.own_spans import OwnSpans
from ...domain.services.traced_nodes import TracedNodeClient
from ...ports.access_control import AccessControl
from ...ports.clock import Clock
from ...ports.node_client import NodeClient
from ...ports.node_directory import NodeDirectory
from ..exporting import single_span_exporters
from ..looking_for_jaeger import found_collector
from ..rest.access import access_control, gate
from ..rest.access_metrics import AccessMetrics
from ..rest.app import build_app
from ..rest.client_certificates import ClientCertificates, client_certificates
from ..rest.context import App, Context
from ..rest.gate import Gate
from ..rest.metrics import Metrics
from ..rest.own_span_metrics import OwnSpanMetrics
from ..rest.tls import TlsUses, tls_uses
from ..rest.tls_metrics import TlsMetrics
from ..zpages.server import build_zpages
from .broadcast_metrics import BroadcastMetrics
from .context import SvcContext
from .node_errors import tell_node_errors
from .roster_metrics import RosterMetrics
from .routes import svc_blueprints
from .settings import PROGRAM, SvcSettings
from .stream_metrics import StreamMetrics

FOR_NODES = 0.98
"""The share of a deadline that nodes have; in the rest, what they answered is put together."""


def _directory(settings: SvcSettings) -> NodeDirectory:
    if settings.nodes:
        return FixedNodeDirectory(Nodes(ready=settings.nodes))
    # Its library takes more memory than all the rest.
    from ...adapters.kubernetes.node_directory import KubernetesNodeDirectory  # noqa: PLC0415
    from ...adapters.kubernetes.settings import KubernetesSettings  # noqa: PLC0415

    return KubernetesNodeDirectory(
        settings=KubernetesSettings(
            kubeconfig=str(settings.kubeconfig or ""), namespace=settings.namespace
        ),
        pods_selector=settings.pods_selector,
        service_selector=settings.svc_selector,
    )


def _roster(
    settings: SvcSettings, directory: NodeDirectory, clock: Clock, spans: OwnSpans
) -> NodeRoster:
    return NodeRoster(
        directory=directory, clock=clock, poll_seconds=settings.poll_seconds, spans=spans
    )


def _broadcast(
    settings: SvcSettings,
    nodes: Callable[[], Nodes],
    stale: Callable[[], str],
    client: NodeClient,
) -> Broadcast:
    return Broadcast(
        nodes=nodes,
        stale=stale,
        client=client,
        node_seconds=FOR_NODES * settings.node_timeout_seconds,
        request_seconds=FOR_NODES * settings.request_timeout_seconds,
    )


def _streams(settings: SvcSettings, client: NodeClient, clock: Clock) -> MergedStreams:
    return MergedStreams(client=client, clock=clock, node_seconds=settings.node_timeout_seconds)


def _connections(settings: SvcSettings, tls: TlsUses) -> NodeClient:
    if tls.nodes is None:
        return HttpNodeClient()
    return HttpNodeClient(
        tls=NodeTls(context=tls.nodes.context, server_name=settings.node_server_name)
    )


def _jaeger(settings: SvcSettings, clock: Clock) -> FoundCollector | None:
    return found_collector(settings, clock, kubeconfig=str(settings.kubeconfig or ""))


def _spans(
    settings: SvcSettings, clock: Clock, found: FoundCollector | None, book: SpanBook
) -> OwnSpans:
    return OwnSpans(
        exporters=single_span_exporters(settings, found=found),
        observers=[book],
        clock=clock,
        keeps=settings.sample_rate.keeps,
    )


def _book(clock: Clock) -> SpanBook:
    return SpanBook(since_ns=clock.wall_ns())


def _access(settings: SvcSettings, clock: Clock) -> AccessControl:
    return access_control(settings.access, clock)


def _gate(settings: SvcSettings, access: AccessControl) -> Gate:
    return gate(access, address=settings.address, request_rate=settings.request_rate)


def build_svc(
    context: SvcContext,
    blueprints: Sequence[Blueprint],
    gate: Gate,
    certificates: ClientCertificates | None = None,
) -> App:
    """Make the application of svc; every answer tells what went wrong at nodes."""
    app = build_app(PROGRAM, context, blueprints, gate, certificates)
    app.register_middleware(tell_node_errors, "response")
    return app


class SvcWiring(containers.DeclarativeContainer):
    """Builds, and only builds: nothing here opens, reads or waits. Tests override providers."""

    settings: providers.Dependency[SvcSettings] = providers.Dependency(instance_of=SvcSettings)

    clock: providers.Provider[Clock] = providers.Singleton(SystemClock)
    book: providers.Provider[SpanBook] = providers.Singleton(_book, clock)
    directory: providers.Provider[NodeDirectory] = providers.Singleton(_directory, settings)
    jaeger: providers.Provider[FoundCollector | None] = providers.Singleton(
        _jaeger, settings, clock
    )
    spans: providers.Provider[OwnSpans] = providers.Singleton(_spans, settings, clock, jaeger, book)
    roster: providers.Provider[NodeRoster] = providers.Singleton(
        _roster, settings, directory, clock, spans
    )
    nodes: providers.Provider[Callable[[], Nodes]] = roster.provided.nodes
    stale: providers.Provider[Callable[[], str]] = roster.provided.stale
    tls: providers.Provider[TlsUses] = providers.Singleton(
        tls_uses, settings.provided.tls, settings.provided.nodes_tls
    )
    connections: providers.Provider[NodeClient] = providers.Singleton(_connections, settings, tls)
    client: providers.Provider[NodeClient] = providers.Singleton(
        TracedNodeClient, client=connections, spans=spans
    )
    broadcast: providers.Provider[Broadcast] = providers.Singleton(
        _broadcast, settings, nodes, stale, client
    )
    sessions: providers.Provider[ClusterSessions] = providers.Singleton(
        ClusterSessions, broadcast=broadcast
    )
    streams: providers.Provider[MergedStreams] = providers.Singleton(
        _streams, settings, client, clock
    )
    access: providers.Provider[AccessControl] = providers.Singleton(_access, settings, clock)
    metrics: providers.Provider[Metrics] = providers.Singleton(
        Metrics,
        collectors=providers.List(
            providers.Factory(TlsMetrics, tls),
            providers.Factory(AccessMetrics, access),
            providers.Factory(OwnSpanMetrics, spans),
            providers.Factory(RosterMetrics, roster),
            providers.Factory(BroadcastMetrics, broadcast),
            providers.Factory(StreamMetrics, streams),
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
        build_svc,
        providers.Factory(
            SvcContext,
            broadcast=broadcast,
            sessions=sessions,
            streams=streams,
            spans=spans,
            metrics=metrics,
            book=book,
        ),
        providers.Callable(svc_blueprints),
        gate,
        providers.Callable(client_certificates, settings.provided.tls),
    )
