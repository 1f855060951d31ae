"""How a stream of events is written: as lines of JSON or as Server-Sent Events."""

import json
import operator
from collections.abc import Callable, Mapping, Sequence

from attrs import field, frozen

from .json_answer import Json

NDJSON_TYPE = "application/x-ndjson"
SSE_TYPE = "text/event-stream"


@frozen(kw_only=True)
class StreamForm:
    """How a stream is written.

    `spans` writes lines of JSON, without and `whole_lines` with their newlines; `message` writes
    a kind and its JSON.
    """

    content_type: str
    spans: Callable[[Sequence[str]], bytes]
    whole_lines: Callable[[bytes], bytes]
    message: Callable[[str, str], bytes]
    headers: Mapping[str, str] = field(factory=dict)

    def told(self, kind: str, body: Json) -> bytes:
        """Write what the stream says of itself."""
        return self.message(kind, json.dumps({"stream": kind, **body}, default=operator.index))


def _ndjson(lines: Sequence[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode("ascii")


def _sse(lines: Sequence[str]) -> bytes:
    return "".join(f"event: span\ndata: {line}\n\n" for line in lines).encode("ascii")


def _sse_whole(text: bytes) -> bytes:
    return b"event: span\ndata: " + text[:-1].replace(b"\n", b"\n\nevent: span\ndata: ") + b"\n\n"


NDJSON = StreamForm(
    content_type=NDJSON_TYPE,
    spans=_ndjson,
    whole_lines=bytes,
    message=lambda _, line: f"{line}\n".encode(),
)

SSE = StreamForm(
    content_type=SSE_TYPE,
    spans=_sse,
    whole_lines=_sse_whole,
    message=lambda kind, line: f"event: {kind}\ndata: {line}\n\n".encode(),
    # Proxies that gather answers before they pass them on would make a stream useless.
    headers={"X-Accel-Buffering": "no"},
)


def form_of(accept: str) -> StreamForm:
    """Choose by a request's `Accept`: lines of JSON where they are named, else events."""
    named = {one.partition(";")[0].strip().lower() for one in accept.split(",")}
    return NDJSON if NDJSON_TYPE in named else SSE
