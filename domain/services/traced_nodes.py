"""Requests to nodes are spans of the trace that they are sent in."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

from attrs import define, evolve

from ...ports.node_client import NodeAnswer, NodeClient, NodeRequest, NodeStream
from ..model.nodes import Node
from ..model.single_span import AttributeValue, SingleSpanKind
from ..model.trace_context import SpanContext, read_span_context
from .own_spans import OwnSpans

CHANGES = frozenset({"POST", "PUT", "DELETE"})
"""What only asks is not worth a span per node."""

_ERRORS_FROM = 400


@define(kw_only=True, eq=False)
class TracedNodeClient:
    """A `NodeClient` that gives each change of a node a span, below the one its headers name.

    The node is told of that span instead, so that its own spans are below it. What is in no trace
    stays so.
    """

    client: NodeClient
    spans: OwnSpans

    async def ask(self, node: Node, request: NodeRequest, *, seconds: float) -> NodeAnswer:
        """Send a request and return the whole answer; raise `NodeUnreachable`."""
        caller = _caller(request.headers) if request.method in CHANGES else None
        if caller is None:
            return await self.client.ask(node, request, seconds=seconds)
        attributes: dict[str, AttributeValue] = {
            "http.request.method": request.method,
            "url.path": request.target.partition("?")[0],
            "server.address": node.host,
            "server.port": node.port,
            "k8s.node.name": node.name,
        }
        name = f"{request.method} tracer-node"
        with self.spans.span(
            name, kind=SingleSpanKind.CLIENT, caller=caller, attributes=attributes
        ) as span:
            if span is None:
                return await self.client.ask(node, request, seconds=seconds)
            told = evolve(request, headers={**request.headers, **span.context.headers})
            answer = await self.client.ask(node, told, seconds=seconds)
            span.attributes["http.response.status_code"] = answer.status
            if answer.status >= _ERRORS_FROM:
                span.error = f"the node answered {answer.status}"
            return answer

    def stream(
        self, node: Node, request: NodeRequest, *, seconds: float, silence_seconds: float
    ) -> AbstractAsyncContextManager[NodeStream]:
        """Open an answer that goes on in the block; raise `NodeUnreachable`."""
        return self.client.stream(node, request, seconds=seconds, silence_seconds=silence_seconds)

    async def close(self) -> None:
        """Close every connection; again is harmless."""
        await self.client.close()


def _caller(headers: Mapping[str, str]) -> SpanContext | None:
    return read_span_context(lambda name: [headers[name]] if name in headers else [])
