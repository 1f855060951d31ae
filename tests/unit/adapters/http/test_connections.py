"""Connections that nobody has used for long are closed, whoever is asked meanwhile."""

import asyncio

import pytest

from container_tracer.adapters.http import connections as module
from container_tracer.adapters.http.connections import NodeConnections
from container_tracer.ports.node_client import NodeRequest

from .conftest import raw

PODS = NodeRequest(method="GET", target="/v1/pods")
FULL = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


async def test_connections_to_nodes_that_are_gone_are_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connections = NodeConnections(most_bytes=1000)
    async with raw(FULL, FULL) as gone, raw(FULL) as here:
        await connections.ask(gone.node, PODS)
        monkeypatch.setattr(module, "KEEP_SECONDS", 0.0)
        await connections.ask(here.node, PODS)
        (task,) = gone.tasks
        async with asyncio.timeout(20):
            await asyncio.wait([task])
        assert gone.says == [FULL]  # it was hung up on before it said all
        connections.close()
