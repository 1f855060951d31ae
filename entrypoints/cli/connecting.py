"""Reaching a tracer: the server that was named, or a private node."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ...client import TracerClient
from .command import Invocation, UsageError


@asynccontextmanager
async def connect(invocation: Invocation, *, traces: bool) -> AsyncIterator[TracerClient]:
    """Yield a client of the tracer."""
    del traces
    server = invocation.server
    if not server.url:
        raise UsageError("Name a tracer with --server URL.")
    async with TracerClient(server.url, token=server.token) as tracer:
        yield tracer
