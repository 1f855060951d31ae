"""Many nodes in one process, each at a loopback address of its own; run as a program.

All of them listen on one port. A request is answered after a while with 20 pods, whatever it is,
on connections that are kept. `hung` addresses take requests and never answer.
"""

import argparse
import asyncio
import ipaddress
import json
import signal

from attrs import define, field

PODS = 20
FIRST = ipaddress.ip_address("127.1.0.1")
ANSWER_SECONDS = 0.020


def address(number: int) -> str:
    """Return the address of a node, from 0."""
    return str(FIRST + number)


def pods(node: str) -> bytes:
    """Write what a node with 20 pods of one container answers to `/v1/pods`."""
    listed = {
        f"web-{node}-{number:02d}": {"Containers": {"main": _container(node, number)}}
        for number in range(PODS)
    }
    return json.dumps(listed).encode()


def _container(node: str, number: int) -> dict[str, object]:
    name = f"web-{node}-{number:02d}"
    return {
        "Id": "main",
        "Pod": name,
        "Parent": [4000 + number],
        "Tasks": list(range(4000 + number, 4012 + number)),
        "ContainerId": f"{abs(hash(name)):064x}",
        "Namespace": "default",
        "PodUid": f"0c6a{number:04d}-8d3e-4a51-9f0e-2f3b0c6a{number:04d}",
        "Image": "registry.example/shop/web:1.4.2",
        "Labels": {"app": "web", "pod-template-hash": "7c5d8f9b6d", "tier": "front"},
        "Runtime": "runc",
        "Node": node,
        "Isolated": False,
        "Refused": "",
    }


@define(eq=False)
class Connection(asyncio.Protocol):
    """Answers each request on a connection after a while."""

    hung: int
    _answer: bytes = b""
    _transport: asyncio.Transport | None = field(default=None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Make up the answer of the node that was called."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        host = transport.get_extra_info("sockname")[0]
        number = int(ipaddress.ip_address(host)) - int(FIRST)
        if number >= self.hung:
            body = pods(f"node-{number}")
            head = (
                f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
            )
            self._answer = f"{head}\r\n\r\n".encode() + body

    def data_received(self, data: bytes) -> None:
        """Answer later; a request has no body."""
        if data.endswith(b"\r\n\r\n") and self._answer:
            asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._write)

    def _write(self) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(self._answer)


async def serve(hung: int) -> None:
    """Serve until SIGTERM; the port is told on stdout."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(hung), "0.0.0.0", 0, backlog=4096)  # noqa: S104 - all of 127.0.0.0/8
    print(server.sockets[0].getsockname()[1], flush=True)
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hung", type=int, default=0, help="so many of the first nodes hang")
    asyncio.run(serve(parser.parse_args().hung))
