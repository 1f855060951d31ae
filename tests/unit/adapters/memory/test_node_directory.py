import asyncio
from contextlib import aclosing

from container_tracer.adapters.memory.node_directory import FixedNodeDirectory
from container_tracer.domain.model.nodes import Node, Nodes

KNOWN = Nodes(ready=(Node(name="worker-1", host="10.0.0.1", port=8080),))


async def test_nodes_that_were_named_are_always_the_same() -> None:
    directory = FixedNodeDirectory(KNOWN)
    assert await directory.nodes() == KNOWN
    async with aclosing(directory.changes()) as changes:
        assert await anext(changes) == KNOWN
        more = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        assert not more.done()
        more.cancel()
        await asyncio.gather(more, return_exceptions=True)
    await directory.close()
