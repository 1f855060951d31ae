"""The real application of svc on a loopback socket, before nodes that answer what a test says."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from attrs import define, evolve, frozen
from sanic import Sanic

from container_tracer.domain.model.nodes import Node, Nodes
from container_tracer.domain.model.single_span import SingleSpan, SingleSpanKind
from container_tracer.domain.model.trace_context import SpanContext
from container_tracer.domain.services.own_spans import OwnSpans
from container_tracer.entrypoints.rest.context import App
from container_tracer.entrypoints.rest.serving import serving
from container_tracer.entrypoints.svc.settings import SvcSettings
from container_tracer.entrypoints.svc.wiring import SvcWiring
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.node_client import FakeNodeClient
from container_tracer.fakes.single_span_exporter import FakeSingleSpanExporter
from container_tracer.ports.node_client import NodeAnswer, NodeRequest

TRACE_HEADERS = frozenset(SpanContext(trace_id=b"\1" * 16, span_id=b"\1" * 8).headers)
"""What tells nodes of the span that asks them."""


def headers_of(request: NodeRequest) -> dict[str, str]:
    """Return what a node was sent besides that."""
    return {name: one for name, one in request.headers.items() if name not in TRACE_HEADERS}


def node_answer(body: object, status: int = 200) -> NodeAnswer:
    kind = "application/json" if status < 400 else "application/problem+json"
    return NodeAnswer(status=status, content_type=kind, body=json.dumps(body).encode())


@frozen
class Answer:
    """What came back."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def media_type(self) -> str:
        return str(self.headers.get("Content-Type", "")).partition(";")[0]

    @property
    def node_errors(self) -> dict[str, int]:
        told = json.loads(self.headers.get("X-Tracer-Node-Errors", "[]"))
        return {one["node"]: one["status"] for one in told}


@define
class Svc:
    """A client of the application, and what stands behind it."""

    app: App
    client: FakeNodeClient
    exporter: FakeSingleSpanExporter
    spans: OwnSpans
    nodes: Nodes
    port: int
    http: aiohttp.ClientSession
    stale: str = ""

    async def ask(self, method: str, path: str, **how: Any) -> Answer:
        async with self.http.request(method, path, **how) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    def asked(self, node: str = "a") -> list[NodeRequest]:
        return [request for name, request in self.client.asked if name == node]

    def unready(self, **reasons: str) -> None:
        self.nodes = evolve(self.nodes, unready=reasons)

    def forget_nodes(self) -> None:
        self.nodes = Nodes()

    async def recorded(self) -> list[SingleSpan]:
        """Return the spans there are; there will be no more."""
        await self.spans.close()
        return self.exporter.spans

    async def until_recorded(self, kind: SingleSpanKind, *, times: int = 1) -> None:
        """Wait until there are so many spans of a kind."""
        async with asyncio.timeout(10):
            while [one.kind for one in self.exporter.spans].count(kind) < times:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def until(self, asked: int) -> None:
        """Wait until nodes were asked so many times in all."""
        async with asyncio.timeout(10):
            while len(self.client.asked) < asked:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)


@pytest.fixture
async def svc() -> AsyncIterator[Svc]:
    """Stand before nodes `a` and `b`, which answer nothing yet but `{}`."""
    Sanic.test_mode = True
    empty = node_answer({})
    client = FakeNodeClient(answers={"a": empty, "b": empty})
    known = Nodes(ready=tuple(Node(name=name, host="10.0.0.1", port=8080) for name in ("a", "b")))
    wiring = SvcWiring(settings=SvcSettings(nodes=known.ready))
    exporter = FakeSingleSpanExporter()
    spans = OwnSpans(exporters=[exporter], clock=FakeClock())
    held: list[Svc] = []
    with (
        wiring.connections.override(client),
        wiring.spans.override(spans),
        wiring.nodes.override(lambda: held[0].nodes),
        wiring.stale.override(lambda: held[0].stale),
        socket.create_server(("127.0.0.1", 0)) as sock,
    ):
        port = sock.getsockname()[1]
        app = wiring.app()
        await spans.start()
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            held.append(Svc(app, client, exporter, spans, known, port, http))
            async with serving(app, sock, grace_seconds=0.5):
                yield held[0]
        await spans.close()
