"""Many nodes in one process, each at a loopback address of its own; run as a program.

All of them listen on one port. A request is answered after a while with 20 pods, on connections
that are kept; one for events with as many spans as fast as they are taken, and their end. `hung`
addresses take requests and never answer.
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
SPANS = 2000


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


def events(node: str) -> bytes:
    """Write a stream of spans as a node does."""
    span = {
        "time": "2026-11-20T20:15:03.224021911Z",
        "start_ns": 1795205703224021911,
        "duration_ns": 9216,
        "node": node,
        "namespace": "default",
        "pod": "web-0",
        "container": "main",
        "container_id": "4f1c6d" * 10,
        "pid": 4000,
        "tid": 4001,
        "command": "nginx",
        "name": "openat",
        "result": -2,
        "error": "ENOENT",
        "events": 2,
        "arguments": {"dfd": "AT_FDCWD", "filename": "0x7f0e", "flags": "O_RDONLY", "mode": "0o0"},
    }
    first = {"stream": "open", "id": "1", "state": "running"}
    last = {"stream": "end", "reason": "stopped", "state": "stopped", "error": "", "statistics": {}}
    lines = [json.dumps(first), *[json.dumps(span, separators=(",", ":"))] * SPANS]
    return "\n".join([*lines, json.dumps(last), ""]).encode()


def head(content_type: str, more: str) -> bytes:
    """Write the head of an answer."""
    return f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n{more}\r\n\r\n".encode()


@define(eq=False)
class Connection(asyncio.Protocol):
    """Answers each request on a connection after a while."""

    hung: int
    _node: str = ""
    _answer: bytes = b""
    _transport: asyncio.Transport | None = field(default=None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note which node was called."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        host = transport.get_extra_info("sockname")[0]
        number = int(ipaddress.ip_address(host)) - int(FIRST)
        self._node = f"node-{number}" if number >= self.hung else ""

    def data_received(self, data: bytes) -> None:
        """Answer; a request has no body."""
        if not data.endswith(b"\r\n\r\n") or not self._node or not self._transport:
            return
        if b"/events" in data.partition(b"\r\n")[0]:
            stream = head("application/x-ndjson", "Connection: close") + events(self._node)
            self._transport.write(stream)
            self._transport.close()
        else:
            asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._write)

    def _write(self) -> None:
        if self._transport and not self._transport.is_closing():
            if not self._answer:
                body = pods(self._node)
                self._answer = head("application/json", f"Content-Length: {len(body)}") + body
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
