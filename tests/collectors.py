"""Collectors on loopback that keep what they are sent, and misbehave when they are told to."""

import asyncio
import gzip
import ssl
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal, TypeAlias

import grpc
import grpc.aio
from attrs import define, field, frozen
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

Behaviour: TypeAlias = Literal[
    "take",  # as it should be
    "busy",  # HTTP 503, UNAVAILABLE
    "busy for",  # and says for how long: 429 with Retry-After, RESOURCE_EXHAUSTED with RetryInfo
    "busy until",  # and says so in a way that may not be understood: `message`
    "late",  # somebody behind it did not answer in time: 504, DEADLINE_EXCEEDED
    "refuse",  # for good: 500, INTERNAL
    "full",  # for good: 507, RESOURCE_EXHAUSTED
    "partial",  # takes all but so many spans
    "garbage",  # takes it, and answers what is no message
    "hang",  # reads the request and says nothing
    "close",  # reads the request and hangs up
    "half",  # takes it, and hangs up in the middle of its answer
]


@frozen
class Reply:
    """How one request is answered; `number` is of seconds or spans, as fits."""

    behaviour: Behaviour = "take"
    number: int = 0
    message: str = ""

    @property
    def takes(self) -> bool:
        return self.behaviour in ("take", "garbage", "half")


@define(eq=False)
class Received:
    """What a collector was sent. `replies` are used up one by one, then it takes everything."""

    replies: deque[Reply] = field(factory=deque)
    requests: list[ExportTraceServiceRequest] = field(factory=list)
    taken: list[ExportTraceServiceRequest] = field(factory=list)
    headers: list[dict[str, str]] = field(factory=list)
    paths: list[str] = field(factory=list)
    sizes: list[int] = field(factory=list)

    def receive(self, body: bytes, path: str, headers: Mapping[str, str]) -> Reply:
        reply = self.replies.popleft() if self.replies else Reply()
        request = ExportTraceServiceRequest.FromString(body)
        self.requests.append(request)
        if reply.takes:
            self.taken.append(request)
        self.headers.append(dict(headers))
        self.paths.append(path)
        self.sizes.append(len(body))
        return reply

    def spans(self) -> list[tuple[dict[str, Any], Span]]:
        """Return all spans that were taken, with the attributes of their resources."""
        return [
            (attributes(one.resource.attributes), span)
            for request in self.taken
            for one in request.resource_spans
            for scope in one.scope_spans
            for span in scope.spans
        ]

    @property
    def calls(self) -> list[Span]:
        """Return what the kernel's events were made into."""
        return [span for _, span in self.spans() if is_call(span)]

    @property
    def roots(self) -> list[Span]:
        """Return the roots of slices."""
        spans = [span for _, span in self.spans() if not span.parent_span_id and span.links]
        return [span for span in spans if "traceSession" in attributes(span.attributes)]

    @property
    def sessions(self) -> list[Span]:
        """Return the spans of sessions themselves."""
        spans = [span for _, span in self.spans() if not span.links]
        return [span for span in spans if "traceSession" in attributes(span.attributes)]


def is_call(span: Span) -> bool:
    return bool(span.parent_span_id) and "process.pid" in attributes(span.attributes)


def attributes(pairs: Sequence[Any]) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in pairs}


@asynccontextmanager
async def http_collector(
    received: Received, port: int = 0, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """Speak OTLP/HTTP on loopback; give the base URL."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            while await _answer(received, reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", port, ssl=tls)
    try:
        scheme, number = "https" if tls else "http", server.sockets[0].getsockname()[1]
        yield f"{scheme}://127.0.0.1:{number}"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def _answer(
    received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
    }
    body = await reader.readexactly(int(headers["content-length"]))
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    reply = received.receive(body, head[0].split()[1], headers)
    if reply.behaviour == "hang":
        await asyncio.Event().wait()
    if reply.behaviour == "close":
        return False
    writer.write(_http(reply))
    await writer.drain()
    return reply.behaviour != "half"


def _http(reply: Reply) -> bytes:
    extra, body = "", b""
    match reply.behaviour:
        case "take":
            status = "200 OK"
        case "busy":
            status = "503 Service Unavailable"
        case "busy for":
            status, extra = "429 Too Many Requests", f"Retry-After: {reply.number}\r\n"
        case "busy until":
            status, extra = "503 Service Unavailable", f"Retry-After: {reply.message}\r\n"
        case "late":
            status = "504 Gateway Timeout"
        case "refuse":
            status, body = "500 Internal Server Error", reply.message.encode()
        case "full":
            status = "507 Insufficient Storage"
        case "partial":
            status, body = "200 OK", partial(reply)
        case "half":
            return b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n\x0a"
        case _:
            status, body = "200 OK", b"\xff\xff\xff"
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{extra}"
    return f"{head}Content-Type: text/plain\r\n\r\n".encode() + body


def partial(reply: Reply) -> bytes:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = reply.number
    answer.partial_success.error_message = reply.message
    data: bytes = answer.SerializeToString()
    return data


@asynccontextmanager
async def grpc_collector(
    received: Received, port: int = 0, *, tls: grpc.ServerCredentials | None = None
) -> AsyncIterator[str]:
    """Speak OTLP/gRPC on loopback; give the endpoint."""

    async def export(request: bytes, context: Any) -> bytes:
        headers = {key: str(value) for key, value in context.invocation_metadata()}
        reply = received.receive(request, "", headers)
        return await _grpc(reply, context)

    handler: Any = grpc.unary_unary_rpc_method_handler(export)
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "opentelemetry.proto.collector.trace.v1.TraceService", {"Export": handler}
            ),
        )
    )
    address = f"127.0.0.1:{port}"
    bound = server.add_secure_port(address, tls) if tls else server.add_insecure_port(address)
    await server.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{bound}"
    finally:
        await server.stop(0)


async def _grpc(reply: Reply, context: Any) -> bytes:
    if details := _details(reply):
        context.set_trailing_metadata((("grpc-status-details-bin", details),))
    if reply.behaviour in _REFUSALS:
        code, words = _REFUSALS[reply.behaviour]
        await context.abort(code, reply.message or words)
    if reply.behaviour == "hang":
        await asyncio.Event().wait()
    if reply.behaviour == "partial":
        return partial(reply)
    return b"" if reply.behaviour == "take" else b"\xff\xff\xff"


_REFUSALS = {
    "busy": (grpc.StatusCode.UNAVAILABLE, "come back later"),
    "busy for": (grpc.StatusCode.RESOURCE_EXHAUSTED, "come back later"),
    "busy until": (grpc.StatusCode.UNAVAILABLE, "come back later"),
    "late": (grpc.StatusCode.DEADLINE_EXCEEDED, ""),
    "refuse": (grpc.StatusCode.INTERNAL, ""),
    "full": (grpc.StatusCode.RESOURCE_EXHAUSTED, "no room"),
    "close": (grpc.StatusCode.CANCELLED, ""),
}


def _details(reply: Reply) -> bytes:
    """Say when to come back, if the behaviour wants it."""
    if reply.behaviour == "busy for":
        return retry_info(reply.number)
    return reply.message.encode() if reply.behaviour == "busy until" else b""


def retry_info(seconds: int) -> bytes:
    """Encode a google.rpc.Status with RetryInfo, by hand: each length fits into a byte."""
    duration = b"\x08" + bytes([seconds])
    info = b"\x0a" + bytes([len(duration)]) + duration
    url = b"type.googleapis.com/google.rpc.RetryInfo"
    detail = b"\x0a" + bytes([len(url)]) + url + b"\x12" + bytes([len(info)]) + info
    return b"\x08\x08\x12\x05later\x1a" + bytes([len(detail)]) + detail


@contextmanager
def beside(collector: Any) -> Iterator[str]:
    """Run a collector in a thread, for tests that do not wait for anything themselves."""
    started, found, stop = threading.Event(), list[str](), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def run() -> None:
        async with collector as url:
            found.append(url)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), name="collector")
    thread.start()
    try:
        assert started.wait(10)
        yield found[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
