"""How the forwarder of spans from virtual machines is put together, and run beside the node."""

import sys

from attrs import evolve

from ...adapters.procfs.virtual_machines import ProcfsVirtualMachines
from ...adapters.vsock.guest_connections import SocketGuestConnections
from ...adapters.vsock.settings import GuestListenSettings
from ...domain.model.guests.redaction import GuestTexts
from ...domain.services.found_collector import FoundCollector
from ...domain.services.guests.forwarder import SpanForwarder
from ...domain.services.guests.frame_room import FrameRoom
from ...domain.services.guests.guest import GuestTerms
from ...domain.services.guests.peers import GuestPeers
from ...domain.services.guests.reception import GuestReception
from ...domain.services.guests.spans import GuestSpans
from ...domain.services.inventory import PodInventory
from ...domain.services.own_spans import OwnSpans
from ...ports.clock import Clock
from ...ports.errors import GuestsUnreachable
from ..exporting import service_resource, single_span_exporters
from .settings import PROGRAM, NodeSettings

LONG_FRAMES_BYTES = 32 << 20
"""So much memory have long frames that are not whole yet, and that of two in any case."""


def span_forwarder(
    settings: NodeSettings,
    inventory: PodInventory,
    clock: Clock,
    found: FoundCollector | None,
    own_spans: OwnSpans,
) -> SpanForwarder | None:
    """Make one, if it is wanted; `found` is a Jaeger that is looked for."""
    if not settings.span_forwarder:
        return None
    resource = service_resource(settings, node=settings.node_name)
    terms = GuestTerms(
        resource=evolve(
            resource, service_name=settings.span_forwarder_service_name, service_version=""
        ),
        pods=inventory.pod_of_sandbox,
        sample_rate=settings.sample_rate,
        texts=GuestTexts(dumps=settings.span_forwarder_dumps),
    )
    # Unlike the tracer's own, these are wanted where other spans go unless it is said otherwise.
    exporters = single_span_exporters(
        evolve(settings, named_exporters=settings.exporters), found=found
    )
    spans = GuestSpans(exporters=exporters, clock=clock, terms=terms)
    return SpanForwarder(reception=_reception(settings, spans, own_spans), spans=spans)


def _reception(settings: NodeSettings, spans: GuestSpans, own_spans: OwnSpans) -> GuestReception:
    clock = spans.clock
    frame_bytes = settings.span_forwarder_frame_kib << 10
    return GuestReception(
        connections=SocketGuestConnections(
            GuestListenSettings(
                port=settings.span_forwarder_port,
                run_paths=settings.run_paths,
                vsock=settings.span_forwarder_vsock,
            )
        ),
        peers=GuestPeers(machines=ProcfsVirtualMachines(procfs=settings.procfs_path), clock=clock),
        guests=spans,
        own_spans=own_spans,
        room=FrameRoom(
            total_bytes=max(LONG_FRAMES_BYTES, 2 * frame_bytes + (1 << 10)), clock=clock
        ),
        clock=clock,
        max_frame_bytes=frame_bytes,
    )


async def hear_guests_or_exit(forwarder: SpanForwarder | None) -> None:
    """Begin to hear guests, if that is wanted; where it cannot be, exit with status 2."""
    if forwarder is None:
        return
    try:
        await forwarder.start()
    except GuestsUnreachable as error:
        print(f"{PROGRAM}: --span-forwarder-vsock: {error}", file=sys.stderr)
        sys.exit(2)


async def stop_hearing(forwarder: SpanForwarder | None) -> None:
    """Hear nobody any more, and deliver what waits."""
    if forwarder is not None:
        await forwarder.close()
