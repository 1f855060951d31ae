"""Requests to nodes are spans below whatever sends them."""

from asyncio import CancelledError
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager

from attrs import define, evolve

from ...ports.node_client import NodeAnswer, NodeClient, NodeRequest, NodeStream
from ..model.call_statistics import REQUEST_SIZE, RESPONSE_SIZE
from ..model.nodes import Node
from ..model.single_span import SingleSpanKind
from .open_span import OpenSpan
from .own_spans import OwnSpans

_ERRORS_FROM = 400


@define(kw_only=True, eq=False)
class TracedNodeClient:
    """A `NodeClient` whose requests are spans, which the nodes are told of, if anybody keeps them.

    Else they are told of the caller's, so that their own spans are below that.
    """

    client: NodeClient
    spans: OwnSpans

    async def ask(self, node: Node, request: NodeRequest, *, seconds: float) -> NodeAnswer:
        """Send a request and return the whole answer; raise `NodeUnreachable`."""
        with self._leg(node, request) as span:
            answer = await self.client.ask(node, _told(request, span), seconds=seconds)
            _note(span, answer.status)
            span.attributes[RESPONSE_SIZE] = len(answer.body)
            return answer

    @asynccontextmanager
    async def stream(
        self, node: Node, request: NodeRequest, *, seconds: float, silence_seconds: float
    ) -> AsyncIterator[NodeStream]:
        """Open an answer that goes on in the block; raise `NodeUnreachable`."""
        with self._leg(node, request) as span:
            async with self.client.stream(
                node, _told(request, span), seconds=seconds, silence_seconds=silence_seconds
            ) as answer:
                _note(span, answer.status)
                try:
                    yield answer
                except CancelledError:
                    # Whoever listens has heard enough.
                    span.error = span.error or ""
                    raise

    async def close(self) -> None:
        """Close every connection; again is harmless."""
        await self.client.close()

    def _leg(self, node: Node, request: NodeRequest) -> AbstractContextManager[OpenSpan]:
        return self.spans.span(
            f"{request.method} tracer-node",
            kind=SingleSpanKind.CLIENT,
            attributes={
                "http.request.method": request.method,
                "url.path": request.target.partition("?")[0],
                **({REQUEST_SIZE: len(request.body)} if request.body else {}),
                "server.address": node.host,
                "server.port": node.port,
                "k8s.node.name": node.name,
            },
        )


def _told(request: NodeRequest, span: OpenSpan) -> NodeRequest:
    if span.told is None:
        return request
    return evolve(request, headers={**request.headers, **span.told.headers})


def _note(span: OpenSpan, status: int) -> None:
    span.attributes["http.response.status_code"] = status
    if status >= _ERRORS_FROM:
        span.error = f"the node answered {status}"
        span.attributes["error.type"] = str(status)
