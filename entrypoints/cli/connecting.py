"""Reaching a tracer: the server that was named, or a private node."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from ...client import ClientError, TracerClient
from .command import Invocation
from .private_node import private_node
from .server import Server


class NotPermitted(ClientError):
    """This user may not trace this machine."""


@asynccontextmanager
async def connect(
    invocation: Invocation, *, traces: bool = False, root: bool = True
) -> AsyncIterator[TracerClient]:
    """Yield a client of the tracer that was named, or of a private node where none was.

    `traces` says that the kernel will be traced: where it cannot, a private node says so at
    once. `root` says that a private node is of no use without root.
    """
    server = invocation.server
    if server.stays:
        async with reach(server, invocation.environ) as tracer:
            yield tracer
        return
    if root and os.geteuid() != 0:
        raise NotPermitted(
            "Looking into the containers of this machine takes root: run it with sudo, or name a"
            " tracer with --server URL, or that of a cluster with --cluster."
        )
    async with private_node(server) as tracer:
        if traces:
            await tracer.ready()
        yield tracer


@asynccontextmanager
async def reach(server: Server, environ: Mapping[str, str]) -> AsyncIterator[TracerClient]:
    """Yield a client of a tracer that was named."""
    if server.cluster:
        # Here, because it takes a fifth of a second to load.
        from .cluster import cluster_tracer  # noqa: PLC0415

        async with cluster_tracer(server, server.cluster, environ) as tracer:
            yield tracer
        return
    async with TracerClient(
        server.url,
        token=server.token,
        nodes=server.nodes,
        tls=server.tls,
        trace_context=server.trace_context,
    ) as tracer:
        yield tracer
