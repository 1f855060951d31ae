"""`tracer-svc`: the svc role, until SIGTERM or SIGINT."""

import asyncio
import contextlib
import gc
import os
import socket
import sys

import structlog

from ...adapters.system.open_files import allow_many_files
from ..looking_for_jaeger import looking_for_jaeger
from ..rest.access import warn_if_open
from ..rest.listening import address_of, listen_or_exit, release
from ..rest.logs import set_up_logs
from ..rest.serving import serving
from ..rest.tls import fresh_tls
from ..signals import asked_to_stop
from ..workers import leave_no_worker, use_workers
from ..zpages.server import listen_for_zpages, serving_zpages
from .known_nodes import known_nodes
from .settings import PROGRAM, SvcSettings, read_settings
from .wiring import SvcWiring

OBJECTS = 100_000
"""So many more objects there are when Python looks for cycles: the answers of many nodes are many
objects without any, and looking through them takes a quarter of the time of a request."""

GRACE_SECONDS = 4.0
"""How long requests may still be answered when it is to end."""

FINISH_SECONDS = 0.5
"""And how long what their clients did not wait for."""

_log = structlog.get_logger()


def main() -> None:
    """Read the settings, then serve."""
    settings = read_settings(sys.argv[1:], os.environ)
    set_up_logs(verbose=settings.verbose)
    gc.set_threshold(OBJECTS)
    allow_many_files()
    listener = listen_or_exit(PROGRAM, settings.address)
    try:
        asyncio.run(serve(settings, listener, listen_for_zpages(PROGRAM, settings.zpages_address)))
    finally:
        release(settings.address)


async def serve(
    settings: SvcSettings, listener: socket.socket, zpages: socket.socket | None
) -> None:
    """Serve until a signal, then let requests finish."""
    wiring = SvcWiring(settings=settings)
    tls, spans = wiring.tls(), wiring.spans()
    stopping = asked_to_stop()
    workers = use_workers()
    await spans.start()
    with listener:
        async with (
            fresh_tls(tls),
            looking_for_jaeger(wiring.jaeger()),
            known_nodes(roster := wiring.roster()),
            serving_zpages(wiring.zpages(), zpages),
            serving(wiring.app(), listener, tls=tls.server_context, grace_seconds=GRACE_SECONDS),
        ):
            _log.info(
                "svc.serving",
                nodes=len(roster.nodes().ready),
                tls=tls.server is not None,
                nodes_tls=tls.nodes is not None,
                **address_of(listener),
            )
            if settings.client_authority is None:
                warn_if_open(wiring.gate(), listener, "svc", "trace every machine of the cluster")
            await stopping.wait()
            _log.info("svc.stopping")
            wiring.streams().stop("tracer-svc shut down; the session goes on")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FINISH_SECONDS):
            await wiring.sessions().close()
    await wiring.client().close()
    await wiring.access().close()
    await spans.close()
    await leave_no_worker(workers)


if __name__ == "__main__":
    main()
