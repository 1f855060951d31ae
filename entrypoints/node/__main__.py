"""`tracer-node`: the node role, until SIGTERM or SIGINT."""

import asyncio
import os
import socket
import sys

import structlog

from ...adapters.system.memory import keep_freed_memory
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
from .guests import hear_guests_or_exit, stop_hearing
from .settings import PROGRAM, NodeSettings, read_settings
from .wiring import NodeWiring

STOP_SECONDS = 4.5
"""How long stopping may take in all: orchestrators kill what takes longer than they allow."""

SWITCH_SECONDS = 0.0005
"""How soon a thread that holds Python's lock gives way: one that drains asks for it some hundred
times, and at the usual 5 ms loses half of what it should read while another writes files."""

GRACE_SECONDS = 1.0
"""Of this, how long requests may still be answered."""

LEAST_SECONDS = 0.2
"""And how long at least what is left of the node's own spans may take to be sent."""

_log = structlog.get_logger()


def main() -> None:
    """Read the settings, then serve."""
    settings = read_settings(sys.argv[1:], os.environ)
    set_up_logs(verbose=settings.verbose)
    sys.setswitchinterval(SWITCH_SECONDS)
    keep_freed_memory()
    allow_many_files()
    listener = listen_or_exit(PROGRAM, settings.address)
    try:
        asyncio.run(serve(settings, listener, listen_for_zpages(PROGRAM, settings.zpages_address)))
    finally:
        release(settings.address)


async def serve(
    settings: NodeSettings, listener: socket.socket, zpages: socket.socket | None
) -> None:
    """Serve until a signal, then stop everything."""
    wiring = NodeWiring(settings=settings)
    sessions, upkeep, tls = wiring.sessions(), wiring.upkeep(), wiring.tls()
    forwarder = wiring.forwarder()
    stopping = asked_to_stop()
    workers = use_workers()
    await wiring.spans().start()
    await hear_guests_or_exit(forwarder)
    await asyncio.to_thread(sessions.prepare)
    await upkeep.start()
    with listener:
        async with (
            fresh_tls(tls),
            looking_for_jaeger(wiring.jaeger()),
            serving_zpages(wiring.zpages(), zpages),
            serving(wiring.app(), listener, tls=tls.server_context, grace_seconds=GRACE_SECONDS),
        ):
            _log.info(
                "node.serving",
                node=settings.node_name,
                tls=settings.tls is not None,
                **address_of(listener),
            )
            if settings.client_authority is None:
                warn_if_open(wiring.gate(), listener, "node", "trace this machine")
            await stopping.wait()
            stopped_by = asyncio.get_running_loop().time() + STOP_SECONDS
            _log.info("node.stopping", sessions=len(sessions.list()))
            try:
                async with asyncio.timeout(STOP_SECONDS - GRACE_SECONDS):
                    await asyncio.gather(sessions.close(), stop_hearing(forwarder))
                    await upkeep.close()
            except TimeoutError:
                _log.error("node.not_stopped_in_time")
    await wiring.discovery().close()
    await wiring.access().close()
    await wiring.spans().close(max(LEAST_SECONDS, stopped_by - asyncio.get_running_loop().time()))
    await leave_no_worker(workers)


if __name__ == "__main__":
    main()
