"""`/debug/tracez`: spans by name, by how long they took and how they failed, and samples."""

from collections.abc import Mapping, Sequence

from sanic.response import HTTPResponse

from ...domain.model.durations import duration_text
from ...domain.model.span_book import BUCKET_FLOORS_NS, SpanBook, SpanName
from ...domain.model.span_choice import SpanChoice
from ...domain.model.span_samples import SampleEvent, SpanSample
from ..rest.json_answer import Json
from ..rest.times import rfc3339
from .markup import Content, Html, element, joined
from .page import TRACEZ, link, page_answer, paragraph, table

MAX_SHOWN = 500
"""So many samples are shown at once."""

_HEAD = ("name", "running", *(f"≥ {duration_text(one)}" for one in BUCKET_FLOORS_NS), "failed")
_SPAN_HEAD = ("start", "name", "trace", "span", "what is known", "after the first", "duration")


def tracez_json(book: SpanBook, choice: SpanChoice, now_ns: int) -> Json:
    """Show names, and samples if any are chosen."""
    shown = _shown(book, choice, now_ns)
    return {
        "since_ns": book.since_ns,
        "now_ns": now_ns,
        "bucket_floors_ns": BUCKET_FLOORS_NS,
        "names": [_name(one) for one in choice.names(book)],
        "spans": [_span(one) for one in shown[:MAX_SHOWN]],
        "spans_left_out": max(0, len(shown) - MAX_SHOWN),
    }


def tracez_page(book: SpanBook, choice: SpanChoice, now_ns: int, *, program: str) -> HTTPResponse:
    """Show the same to people."""
    shown = _shown(book, choice, now_ns)
    names = table(_HEAD, [_row(one) for one in choice.names(book)], texts=1)
    return page_answer(
        "tracez",
        program,
        paragraph(
            f"Spans of this program itself since {rfc3339(book.since_ns)}, now {rfc3339(now_ns)}."
            " Those that failed are in no other column. A number leads to samples."
        ),
        _trace_form(choice),
        names,
        None if choice.anything else _spans(shown),
    )


def _shown(book: SpanBook, choice: SpanChoice, now_ns: int) -> Sequence[SpanSample]:
    return () if choice.anything else choice.samples(book, now_ns)


def _name(name: SpanName) -> Json:
    return {
        "name": name.name,
        "running": len(name.running),
        "ended": name.ended,
        "buckets": [one.count for one in name.buckets],
        "failed": name.failed,
        "errors": {kind: one.count for kind, one in name.errors.items()},
    }


def _span(span: SpanSample) -> Json:
    return {
        "name": span.name,
        "kind": span.kind.value,
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex(),
        "time": rfc3339(span.started_ns),
        "start_ns": span.started_ns,
        "duration_ns": span.duration_ns,
        "running": span.running,
        "error": span.error,
        "message": span.message,
        "attributes": dict(span.attributes),
        "events": [
            {"name": one.name, "after_ns": one.after_ns, "attributes": dict(one.attributes)}
            for one in span.events
        ],
        "left_out": span.left_out,
    }


def _row(name: SpanName) -> list[Content]:
    buckets = [
        _count(one.count, {"name": name.name, "bucket": place})
        for place, one in enumerate(name.buckets)
    ]
    kinds = [
        joined(" ", kind, " ", _count(one.count, {"name": name.name, "error": kind}))
        for kind, one in name.errors.items()
    ]
    return [
        link(name.name, TRACEZ, {"name": name.name}),
        _count(len(name.running), {"name": name.name, "running": "true"}),
        *buckets,
        element("span", *kinds, class_="failed") if kinds else "0",
    ]


def _count(count: int, query: Mapping[str, str | int]) -> Content:
    return link(count, TRACEZ, query) if count else "0"


def _trace_form(choice: SpanChoice) -> Html:
    value = choice.trace_id.hex() if choice.trace_id else ""
    box = element("input", name="trace_id", value=value, placeholder="all of a trace, by its id")
    return element("form", box, action=TRACEZ, method="get")


def _spans(shown: Sequence[SpanSample]) -> Html:
    if not shown:
        return joined(element("h2", "No samples"), paragraph("Nothing that is kept is like that."))
    first_ns = min(one.started_ns for one in shown)
    rows = [_span_row(one, first_ns) for one in shown[:MAX_SHOWN]]
    more = f" The newest {MAX_SHOWN} are shown." if len(shown) > MAX_SHOWN else ""
    return joined(
        element("h2", f"{len(shown)} samples"),
        paragraph(f"Few of many are kept.{more}"),
        table(_SPAN_HEAD, rows, texts=5),
    )


def _span_row(span: SpanSample, first_ns: int) -> list[Content]:
    trace_id = span.trace_id.hex()
    span_ids = joined(element("code", span.span_id.hex()), " ", span.kind.value)
    parent = span.parent_span_id.hex()
    took = duration_text(span.duration_ns)
    return [
        rfc3339(span.started_ns),
        link(span.name, TRACEZ, {"name": span.name}),
        link(trace_id, TRACEZ, {"trace_id": trace_id}),
        joined(span_ids, f" below {parent}" if parent else " root"),
        _known(span),
        duration_text(span.started_ns - first_ns),
        f"{took} so far" if span.running else took,
    ]


def _known(span: SpanSample) -> Html:
    failed = span.error is not None and f"failed: {span.error} {span.message}"
    return joined(
        element("p", failed, class_="failed") if failed else span.message or None,
        _listed(span.attributes),
        *(_moment(one) for one in span.events),
        paragraph(f"{span.left_out} more") if span.left_out else None,
    )


def _moment(event: SampleEvent) -> Html:
    name = element("p", f"after {duration_text(event.after_ns)}: {event.name}")
    return joined(name, _listed(event.attributes))


def _listed(attributes: Sequence[tuple[str, object]]) -> Html:
    pairs = (joined(element("dt", key), element("dd", str(one))) for key, one in attributes)
    return element("dl", *pairs)
