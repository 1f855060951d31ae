"""What a watcher is shown, as lines of JSON or as Server-Sent Events."""

import json
import operator
from collections.abc import Callable, Mapping, Sequence

from attrs import field, frozen

from ...domain.services.watcher import ContainerNews, Dropped, Ended, Heartbeat, Item, Watcher
from .answers import rfc3339, statistics_answer
from .json_answer import Json

NDJSON_TYPE = "application/x-ndjson"
SSE_TYPE = "text/event-stream"


@frozen(kw_only=True)
class StreamForm:
    """How a stream is written: `spans` a line of JSON each, `message` a kind and its JSON."""

    content_type: str
    spans: Callable[[Sequence[str]], bytes]
    message: Callable[[str, str], bytes]
    headers: Mapping[str, str] = field(factory=dict)

    def opening(self, session_id: str, state: str) -> bytes:
        """Write what comes first."""
        return self._write("open", {"id": session_id, "state": state})

    def item(self, item: Item, watcher: Watcher) -> bytes:
        """Write what a watcher is to be shown."""
        match item:
            case Dropped():
                return self._write("dropped", {"spans": item.spans, "events": item.events})
            case ContainerNews():
                return self._write("container", _news(item))
            case Heartbeat():
                return self._write("heartbeat", _heartbeat(item, dropped=watcher.dropped_spans))
            case Ended():
                return self._write("end", _end(item))
            case bytes():
                return item

    def _write(self, kind: str, body: Json) -> bytes:
        return self.message(kind, json.dumps({"stream": kind, **body}, default=operator.index))


def _news(news: ContainerNews) -> Json:
    return {
        "change": "joined" if news.joined else "ended",
        "namespace": news.container.namespace,
        "pod": news.container.pod,
        "container": news.container.name,
        "container_id": news.container.container_id,
        "containers": news.running,
    }


def _heartbeat(beat: Heartbeat, *, dropped: int) -> Json:
    return {
        "time": rfc3339(beat.wall_ns),
        "spans": beat.spans,
        "lost": beat.lost,
        "dropped": dropped,
        "containers": beat.containers,
    }


def _end(ended: Ended) -> Json:
    return {
        "reason": ended.reason,
        "state": ended.state.value,
        "error": ended.error,
        "statistics": statistics_answer(ended.statistics),
    }


def _ndjson(lines: Sequence[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode("ascii")


def _sse(lines: Sequence[str]) -> bytes:
    return "".join(f"event: span\ndata: {line}\n\n" for line in lines).encode("ascii")


NDJSON = StreamForm(
    content_type=NDJSON_TYPE, spans=_ndjson, message=lambda _, line: f"{line}\n".encode()
)

SSE = StreamForm(
    content_type=SSE_TYPE,
    spans=_sse,
    message=lambda kind, line: f"event: {kind}\ndata: {line}\n\n".encode(),
    # Proxies that gather answers before they pass them on would make a stream useless.
    headers={"X-Accel-Buffering": "no"},
)


def form_of(accept: str) -> StreamForm:
    """Choose by a request's `Accept`: lines of JSON where they are named, else events."""
    named = {one.partition(";")[0].strip().lower() for one in accept.split(",")}
    return NDJSON if NDJSON_TYPE in named else SSE
