"""`/debug/rpcz`: requests that were answered and made, lately and in all."""

from collections.abc import Sequence

from sanic.response import HTTPResponse

from ...domain.model.call_statistics import RELATIVE_ERROR, CallMethod, CallWindow
from ...domain.model.durations import duration_text
from ...domain.model.single_span import SingleSpanKind
from ...domain.model.span_book import SpanBook
from ..rest.json_answer import Json
from ..rest.times import rfc3339
from .markup import Content, Html, element, joined
from .page import TRACEZ, link, page_answer, paragraph, table

_NS = 10**9
_SIDES = ((SingleSpanKind.SERVER, "Answered"), (SingleSpanKind.CLIENT, "Asked for"))
_HEAD = ("name", "window", "count", "failed", "per second", "mean", "p50", "p95", "p99", "max")
_BYTES_HEAD = ("in", "out")


def rpcz_json(book: SpanBook, name: str | None, now_ns: int) -> Json:
    """Show every method of both sides."""
    return {
        "since_ns": book.since_ns,
        "now_ns": now_ns,
        "relative_error": RELATIVE_ERROR,
        **{kind.value: _methods_json(book, kind, name, now_ns) for kind, _ in _SIDES},
    }


def rpcz_page(book: SpanBook, name: str | None, now_ns: int, *, program: str) -> HTTPResponse:
    """Show the same to people."""
    return page_answer(
        "rpcz",
        program,
        paragraph(
            f"Requests since {rfc3339(book.since_ns)}, now {rfc3339(now_ns)}."
            f" Percentiles are off by less than {100 * RELATIVE_ERROR:.2g} %."
            " Bytes are those of bodies, where they are known."
        ),
        *(_side(book, kind, title, name, now_ns) for kind, title in _SIDES),
    )


def _methods_json(
    book: SpanBook, kind: SingleSpanKind, name: str | None, now_ns: int
) -> list[Json]:
    return [
        {
            "name": one.name,
            "windows": {
                window: _window_json(what)
                for window, what in one.windows(now_ns, since_ns=book.since_ns).items()
            },
        }
        for one in _methods(book, kind, name)
    ]


def _window_json(window: CallWindow) -> Json:
    tally = window.tally
    p50, p95, p99 = tally.percentiles()
    return {
        "seconds": window.passed_ns / _NS,
        "count": tally.count,
        "errors": tally.errors,
        "rate_per_second": tally.count * _NS / window.passed_ns,
        "mean_ns": tally.total_ns // max(1, tally.count),
        "p50_ns": p50,
        "p95_ns": p95,
        "p99_ns": p99,
        "max_ns": tally.max_ns,
        "received_bytes": tally.received_bytes,
        "sent_bytes": tally.sent_bytes,
    }


def _methods(book: SpanBook, kind: SingleSpanKind, name: str | None) -> Sequence[CallMethod]:
    return [one for one in book.calls.of(kind) if name in (None, one.name)]


def _side(book: SpanBook, kind: SingleSpanKind, title: str, name: str | None, now_ns: int) -> Html:
    methods = _methods(book, kind, name)
    rows = [
        _row(one, label, window)
        for one in methods
        for label, window in one.windows(now_ns, since_ns=book.since_ns).items()
    ]
    shown = table([*_HEAD, *_BYTES_HEAD], rows, texts=2) if rows else paragraph("Nothing yet.")
    return joined(element("h2", f"{title} ({kind.value})"), shown)


def _row(method: CallMethod, label: str, window: CallWindow) -> list[Content]:
    tally = window.tally
    times = (tally.total_ns // max(1, tally.count), *tally.percentiles(), tally.max_ns)
    first = label == "minute"
    return [
        link(method.name, TRACEZ, {"name": method.name}) if first else "",
        label,
        tally.count,
        element("span", tally.errors, class_="failed") if tally.errors else "0",
        f"{tally.count * _NS / window.passed_ns:.3g}",
        *(duration_text(one) if tally.count else "" for one in times),
        tally.received_bytes,
        tally.sent_bytes,
    ]
