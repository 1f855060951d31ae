"""The usual way to spans from Python: text, a regular expression, the SDK, OTLP over HTTP.

usage: otel_sdk_reader.py INSTANCE ENDPOINT
Runs in an environment of its own (requirements/bench.txt). Prints "ready", reads until its input
ends and the pipe is empty, sends what is left, and prints "SPANS CPU_NS".
"""

import os
import re
import selectors
import sys
import time
from collections.abc import Iterator

from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # type: ignore[import-not-found,unused-ignore]
    OTLPSpanExporter,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status, StatusCode, Tracer

LINE = re.compile(
    r"\s*(?P<command>.*)-(?P<tid>\d+)\s+\[\d+\]\s+\S+\s+(?P<seconds>\d+)\.(?P<micros>\d+): "
    r"sys_(?P<name>\w+)(?:\((?P<arguments>.*)\)| -> (?P<result>0x[0-9a-f]+))$"
)
QUEUE = 4_000_000  # the SDK's own limit of 2,048 would drop most of a burst


def main() -> None:
    instance, endpoint = sys.argv[1:]
    provider = TracerProvider(resource=Resource.create({"service.name": "bench"}))
    processor = BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint), max_queue_size=QUEUE)
    provider.add_span_processor(processor)
    maker = SpanMaker(provider.get_tracer("bench"))
    print("ready", flush=True)
    began = time.process_time_ns()
    for line in lines(f"{instance}/trace_pipe"):
        maker.take(line)
    provider.shutdown()
    print(maker.spans, time.process_time_ns() - began, flush=True)


def lines(pipe: str) -> Iterator[str]:
    """Give whole lines, until the input has ended and nothing is left."""
    descriptor = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    rest = ""
    for going in waits(descriptor):
        while True:
            try:
                text = rest + os.read(descriptor, 1 << 16).decode(errors="replace")
            except BlockingIOError:
                break
            *whole, rest = text.split("\n")
            yield from whole
        if not going:
            return


def waits(descriptor: int) -> Iterator[bool]:
    """Wait for events again and again; False for the last time, when the input has ended."""
    selector = selectors.DefaultSelector()
    selector.register(descriptor, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    while True:
        ready = {key.fileobj for key, _ in selector.select()}
        yield sys.stdin not in ready
        if sys.stdin in ready:
            return


class SpanMaker:
    """Turns lines of entries and returns into spans."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._open: dict[str, tuple[str, str, int]] = {}
        self._to_wall_ns = time.time_ns() - time.monotonic_ns()
        self.spans = 0

    def take(self, line: str) -> None:
        found = LINE.match(line)
        if not found:
            return
        at = int(found["seconds"]) * 1_000_000_000 + int(found["micros"]) * 1000
        if found["result"] is None:
            self._open[found["tid"]] = (found["name"], found["arguments"], at)
        elif (entry := self._open.pop(found["tid"], None)) and entry[0] == found["name"]:
            self._make(found, entry, at)

    def _make(self, found: re.Match[str], entry: tuple[str, str, int], end_ns: int) -> None:
        name, arguments, start_ns = entry
        result = int(found["result"], 16)
        span = self._tracer.start_span(
            name,
            start_time=start_ns + self._to_wall_ns,
            attributes={
                "thread.id": int(found["tid"]),
                "process.command": found["command"],
                "arguments": arguments,
                "result": result if result < 1 << 63 else result - (1 << 64),
            },
        )
        if result > (1 << 64) - 4096:
            span.set_status(Status(StatusCode.ERROR, str((1 << 64) - result)))
        span.end(end_ns + self._to_wall_ns)
        self.spans += 1


if __name__ == "__main__":
    main()
