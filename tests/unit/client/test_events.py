import json

import pytest

from container_tracer.client import ContainerChange, Heartbeat, Span, UnexpectedAnswer
from container_tracer.client.events import read_event
from container_tracer.domain.model.span_text import json_lines
from container_tracer.fakes.spans import awkward_batch


def test_every_line_that_spans_are_written_as_is_read_back() -> None:
    for line in json_lines(awkward_batch(), node="worker-1"):
        span = read_event(line.encode())
        assert isinstance(span, Span)
        told = json.loads(line)
        assert span.json == told
        known = {name: getattr(span, name) for name in told}
        assert known == told


def test_what_a_span_lacks_is_none_or_empty() -> None:
    span = read_event(b'{"start_ns": 1, "duration_ns": 2, "name": "read"}')
    assert isinstance(span, Span)
    assert (span.arguments, span.result, span.error, span.incomplete) == (None, None, "", "")


def test_a_heartbeat_counts() -> None:
    beat = read_event(b'{"stream": "heartbeat", "spans": 3, "lost": 2, "dropped": 1}')
    assert isinstance(beat, Heartbeat)
    assert (beat.spans, beat.lost, beat.dropped) == (3, 2, 1)


def test_a_container_joins_or_ends() -> None:
    body = (
        b'"namespace": "shop", "pod": "web-1", "container": "app", "container_id": "4f1c",'
        b' "containers": 2}'
    )
    joined = read_event(b'{"stream": "container", "change": "joined", ' + body)
    ended = read_event(b'{"stream": "container", "change": "ended", ' + body)
    assert isinstance(joined, ContainerChange)
    assert isinstance(ended, ContainerChange)
    assert (joined.ended, ended.ended) == (False, True)
    assert (joined.namespace, joined.pod, joined.container) == ("shop", "web-1", "app")
    assert (joined.container_id, joined.containers) == ("4f1c", 2)


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"{", b"\xff", b'{"name": "read"}', b'{"stream": []}']
)
def test_what_is_no_event_is_an_error(line: bytes) -> None:
    with pytest.raises(UnexpectedAnswer):
        read_event(line)
