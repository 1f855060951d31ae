"""The part of a merged stream that comes from one node."""

import asyncio
from typing import TypeAlias

import structlog
from attrs import define, field, frozen

from ...ports.errors import NodeUnreachable
from ...ports.node_client import NodeClient, NodeRequest, NodeStream
from ..model.node_reply import NodeReply, failed, read_reply
from ..model.nodes import Node
from ..model.stream_lines import LineCutter, MalformedStream, Piece, Told

STREAM_TYPE = "application/x-ndjson"

SILENCE_SECONDS = 15.0
"""A node says something every second; one that says nothing for so long is gone."""

_OK, _REDIRECTED = 200, 300

_log = structlog.get_logger()


@frozen
class BrokeOff:
    """A node says no more although its stream has not ended; `why` says why."""

    why: str


Arrived: TypeAlias = tuple[str, Piece | BrokeOff]
"""What came, and the name of the node it came from."""


def _future() -> "asyncio.Future[Told | NodeReply]":
    return asyncio.get_running_loop().create_future()


@define(kw_only=True, eq=False)
class NodeLeg:
    """Reads the stream of a node into a queue, and waits whenever that is full.

    `opening` is set once, to what it begins with or to why it does not begin. What is put last is
    the `end` of the node's stream, or `BrokeOff`.
    """

    node: Node
    client: NodeClient
    arrived: "asyncio.Queue[Arrived]"
    opening: "asyncio.Future[Told | NodeReply]" = field(factory=_future)

    async def carry(self, request: NodeRequest, *, seconds: float) -> None:
        """Ask the node, which must begin within `seconds`, and pass on all it says."""
        name = self.node.name
        try:
            async with (
                asyncio.timeout(seconds) as limit,
                self.client.stream(
                    self.node, request, seconds=seconds, silence_seconds=SILENCE_SECONDS
                ) as answer,
            ):
                await self._take(answer, limit)
        except NodeUnreachable as error:
            await self._break_off(str(error))
        except TimeoutError:
            await self._break_off(f"did not begin its stream within {seconds:g} s")
        except MalformedStream as error:
            await self._break_off(f"its stream cannot be understood: {error}")
        except Exception as error:  # noqa: BLE001 - nobody may wait for what will not come
            _log.error("stream.leg_failed", node=name, exc_info=error)
            await self._break_off("its stream failed; the log says more")

    async def _take(self, answer: NodeStream, limit: asyncio.Timeout) -> None:
        if answer.status == _OK and answer.content_type == STREAM_TYPE:
            await self._pass_on(answer, limit)
        elif answer.status < _REDIRECTED:
            raise MalformedStream("it answers without a stream of events")
        else:
            body = await answer.body()
            self.opening.set_result(
                read_reply(
                    self.node.name,
                    status=answer.status,
                    content_type=answer.content_type,
                    body=body,
                )
            )

    async def _pass_on(self, answer: NodeStream, limit: asyncio.Timeout) -> None:
        cutter = LineCutter()
        async for chunk in answer.chunks():
            for piece in cutter.cut(chunk):
                if not self.opening.done():
                    self._begin(piece)
                    limit.reschedule(None)
                    continue
                await self.arrived.put((self.node.name, piece))
                await asyncio.sleep(0)  # a node that sends much shall not fill the queue alone
                if isinstance(piece, Told) and piece.kind == "end":
                    return
        raise MalformedStream("it stops without an end")

    def _begin(self, piece: Piece) -> None:
        if not isinstance(piece, Told) or piece.kind != "open":
            raise MalformedStream("it does not begin with its opening")
        self.opening.set_result(piece)

    async def _break_off(self, why: str) -> None:
        if not self.opening.done():
            self.opening.set_result(failed(self.node.name, why))
        else:
            await self.arrived.put((self.node.name, BrokeOff(why)))
