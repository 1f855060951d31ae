"""Single spans as text: lines of JSON, and events for trace viewers."""

import json
from collections.abc import Callable, Sequence

import numpy as np
from attrs import frozen

from .json_values import JsonValue, json_attributes
from .quoting import unicode_text, viewer_text
from .single_span import AttributeMap, SingleSpan, SpanEvent, SpanLink, SpanOrigin, SpanStatus
from .span_text import microseconds, utc_times
from .tags import NO_TAGS, Tags

_Members = dict[str, object]


def single_span_line(span: SingleSpan, tags: Tags = NO_TAGS) -> str:
    """Write a span as a JSON object in ASCII, without a line end.

    Keys: `time` (RFC 3339, UTC, nanoseconds), `start_ns`, `duration_ns`, `name`, `kind`,
    `trace_id`, `span_id`, `attributes`. Those it need not have: `parent_span_id`, `trace_state`,
    `error` (what went wrong, if it failed), `status` (`ok`, or absent), `status_message` (of one
    that did not fail), `links`, `tags` (of the tracer's own), `resource` and `scope` (whose it
    is, if it is not), `dropped_attributes`, `dropped_events`, `dropped_links`, `events`.
    """
    (time,) = utc_times(np.array([span.started_ns]))
    writer = _Writer(unicode_text, tags)
    return _json(
        {
            "time": time,
            "start_ns": span.started_ns,
            "duration_ns": span.ended_ns - span.started_ns,
            "name": unicode_text(span.name),
            "kind": span.kind.value,
            **writer.details(span),
            **_given(events=[writer.event(one) for one in span.events]),
        }
    )


def single_span_events(
    span: SingleSpan, *, process: int, origin_ns: int = 0, tags: Tags = NO_TAGS
) -> list[str]:
    """Write a span as events of Chrome's trace event format, without separators.

    It is a pair of nestable asynchronous events (`ph` b and e) with an id of its own: spans of one
    process may overlap. Its events are instants (n) within. `ts` counts microseconds from
    `origin_ns`. `args` has the exact `start_ns`, and from `trace_id` on the keys of
    `single_span_line`.
    """
    writer = _Writer(viewer_text, tags)
    moments = [span.started_ns, *(one.time_ns for one in span.events), span.ended_ns]
    begin, *between, end = microseconds(np.array(moments) - origin_ns)
    shared = f'"cat":"{span.kind.value}","id":"0x{span.span_id.hex()}"'
    shared += f',"pid":{process},"tid":{process}'
    name = json.dumps(viewer_text(span.name))
    args = _json({"start_ns": span.started_ns, **writer.details(span)})
    return [
        f'{{"ph":"b",{shared},"name":{name},"ts":{begin},"args":{args}}}',
        *(
            f'{{"ph":"n",{shared},"name":{json.dumps(viewer_text(one.name))},"ts":{time}'
            f',"args":{_json(writer.event(one))}}}'
            for one, time in zip(span.events, between, strict=True)
        ),
        f'{{"ph":"e",{shared},"name":{name},"ts":{end}}}',
    ]


def process_name_event(process: int, name: str) -> str:
    """Write the event (`ph` M) that names a process."""
    shown = json.dumps(viewer_text(name))
    return f'{{"ph":"M","name":"process_name","pid":{process},"args":{{"name":{shown}}}}}'


@frozen
class _Writer:
    """Makes members of JSON objects; `text` makes text fit for who reads it."""

    text: Callable[[str], str]
    tags: Tags

    def details(self, span: SingleSpan) -> _Members:
        parent, state = span.parent_span_id.hex(), self.text(span.trace_state)
        return {
            "trace_id": span.trace_id.hex(),
            "span_id": span.span_id.hex(),
            **_given(parent_span_id=parent, trace_state=state),
            "attributes": self._attributes(span.attributes),
            **self._ended(span),
            **_given(links=[self._link(one) for one in span.links]),
            **self._whose(span.origin),
            **_given(
                dropped_attributes=span.dropped_attributes,
                dropped_events=span.dropped_events,
                dropped_links=span.dropped_links,
            ),
        }

    def event(self, event: SpanEvent) -> _Members:
        return {
            "time_ns": event.time_ns,
            "name": self.text(event.name),
            **_given(
                attributes=self._attributes(event.attributes),
                dropped_attributes=event.dropped_attributes,
            ),
        }

    def _attributes(self, attributes: AttributeMap) -> dict[str, JsonValue]:
        return json_attributes(attributes, self.text)

    def _ended(self, span: SingleSpan) -> _Members:
        message = self.text(span.status_message)
        if span.status is SpanStatus.ERROR:
            return {"error": message}
        status = "" if span.status is SpanStatus.UNSET else span.status.value
        return _given(status=status, status_message=message)

    def _link(self, link: SpanLink) -> _Members:
        context = link.context
        return {
            "trace_id": context.trace_id.hex(),
            "span_id": context.span_id.hex(),
            "sampled": context.sampled,
            **_given(
                trace_state=self.text(context.trace_state),
                attributes=self._attributes(link.attributes),
                dropped_attributes=link.dropped_attributes,
            ),
        }

    def _whose(self, origin: SpanOrigin | None) -> _Members:
        if origin is None:
            return _given(tags=self._attributes(self.tags))
        resource, scope = self._attributes(origin.attributes), self.text(origin.scope)
        return {"resource": resource, **_given(scope=scope)}


def _given(**members: str | int | Sequence[object] | dict[str, JsonValue]) -> _Members:
    """Leave out what is empty, or 0."""
    return {name: one for name, one in members.items() if one}


def _json(members: _Members) -> str:
    return json.dumps(members, separators=(",", ":"), allow_nan=False)
