"""What a watcher is shown of a session of this node."""

from ...domain.services.watcher import ContainerNews, Dropped, Ended, Heartbeat, Item, Watcher
from .answers import statistics_answer
from .json_answer import Json
from .stream_form import StreamForm
from .times import rfc3339


def opening(form: StreamForm, session_id: str, state: str) -> bytes:
    """Write what comes first."""
    return form.told("open", {"id": session_id, "state": state})


def shown(form: StreamForm, item: Item, watcher: Watcher) -> bytes:
    """Write what a watcher is to be shown."""
    match item:
        case Dropped():
            return form.told("dropped", {"spans": item.spans, "events": item.events})
        case ContainerNews():
            return form.told("container", _news(item))
        case Heartbeat():
            return form.told("heartbeat", _heartbeat(item, dropped=watcher.dropped_spans))
        case Ended():
            return form.told("end", _end(item))
        case bytes():
            return item


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
