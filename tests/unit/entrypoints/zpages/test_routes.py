"""The pages show the book of a node's own spans, to browsers and programs, and to nobody else."""

import json
import re
from collections.abc import Mapping, Sequence
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from container_tracer.adapters.tokens.access_control import TokenFileAccessControl
from container_tracer.adapters.tokens.file import TokenFile
from container_tracer.domain.model.single_span import (
    AttributeMap,
    SingleSpan,
    SingleSpanKind,
    SpanEvent,
    SpanStatus,
)
from container_tracer.domain.model.span_book import BUCKET_FLOORS_NS, SpanBook
from container_tracer.domain.model.trace_context import SpanContext
from container_tracer.domain.services.open_span import OpenSpan
from container_tracer.entrypoints.rest.gate import Gate
from container_tracer.entrypoints.zpages.tracez import MAX_SHOWN
from container_tracer.fakes.clock import FakeClock
from tests.unit.entrypoints.conftest import node_behind

TRACE = "0af7651916cd43dd8448eb211c80319c"
HOSTILE = "</td><script>alert(1)</script><img src=x onerror='alert(2)'>\"&\0\x1b[31m\u202e"
TAGS = (
    "html head meta title link style body h1 small nav a p form input div table thead tbody tr th"
    " td span code dl dt dd h2"
)
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PROGRAM = {"Accept": "application/json"}


class Nesting(HTMLParser):
    """Sees that whatever is opened is closed, in good order."""

    VOID = ("meta", "link", "input")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        self.seen.add(tag)
        self.open += [] if tag in self.VOID else [tag]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def over(
    name: str,
    *,
    number: int = 1,
    duration_ns: int = 2 * 10**6,
    kind: SingleSpanKind = SingleSpanKind.SERVER,
    failed: bool = False,
    attributes: AttributeMap | None = None,
    message: str = "",
    trace_id: str = TRACE,
) -> SingleSpan:
    return SingleSpan(
        name=name,
        kind=kind,
        trace_id=bytes.fromhex(trace_id),
        span_id=number.to_bytes(8, "big"),
        started_ns=1_795_166_100 * 10**9 + number * 2 * 10**9,
        ended_ns=1_795_166_100 * 10**9 + number * 2 * 10**9 + duration_ns,
        attributes=attributes or {},
        events=[SpanEvent(name="half way", time_ns=1_795_166_100 * 10**9 + number * 2 * 10**9 + 5)],
        status=SpanStatus.ERROR if failed else SpanStatus.UNSET,
        status_message=message,
    )


def fill(book: SpanBook) -> None:
    """Write spans that every view has something of."""
    sizes = {"http.request.body.size": 7, "http.response.body.size": 100}
    book.ended(over("GET /v1/pods", number=1, attributes=sizes))
    book.ended(over("GET /v1/pods", number=2, failed=True, message="no runtime"))
    book.ended(over("ask node", number=3, kind=SingleSpanKind.CLIENT, trace_id="f" * 32))
    book.began(
        OpenSpan(
            name="session",
            kind=SingleSpanKind.INTERNAL,
            context=SpanContext(trace_id=bytes.fromhex(TRACE), span_id=b"\4" * 8),
            told=None,
            parent_span_id=b"\5" * 8,
            started_ns=1_795_166_000 * 10**9,
            attributes={"note": HOSTILE},
        )
    )


async def shown(node: Any, path: str) -> Any:
    answer = await node.ask("GET", path, headers=PROGRAM)
    assert (answer.status, answer.media_type) == (200, "application/json")
    return answer.json


async def test_names_are_shown_with_what_became_of_their_spans(node: Any) -> None:
    fill(node.app.ctx.book)
    answer = await shown(node, "/debug/tracez")
    assert answer["bucket_floors_ns"] == list(BUCKET_FLOORS_NS)
    assert (answer["spans"], answer["spans_left_out"]) == ([], 0)
    got, asked, session = answer["names"]
    assert got == {
        "name": "GET /v1/pods",
        "running": 0,
        "ended": 2,
        "buckets": [0, 0, 0, 1, 0, 0, 0, 0, 0],
        "failed": 1,
        "errors": {"error": 1},
    }
    assert (session["name"], session["running"], session["ended"]) == ("session", 1, 0)
    assert (asked["name"], asked["ended"]) == ("ask node", 1)


CHOICES: Mapping[str, list[int]] = {
    "name=GET%20/v1/pods": [2, 1],
    "name=nothing": [],
    "running=true": [0x0404040404040404],
    "running=true&name=ask%20node": [],
    "bucket=3": [3, 1],
    "bucket=3&name=ask%20node": [3],
    "bucket=8": [],
    "error=": [2],
    "error=error": [2],
    "error=else": [],
    f"trace_id={TRACE}": [0x0404040404040404, 1, 2],
    f"trace_id={TRACE.upper()}&error=": [2],
    "trace_id=" + "f" * 32: [3],
    "trace_id=1": [],
}


async def test_samples_are_chosen_by_a_query(node: Any) -> None:
    fill(node.app.ctx.book)
    for query, numbers in CHOICES.items():
        answer = await shown(node, f"/debug/tracez?{query}")
        assert (query, [int(one["span_id"], 16) for one in answer["spans"]]) == (query, numbers)
        page = await node.ask("GET", f"/debug/tracez?{query}", headers=BROWSER)
        rows = re.findall(r"<code>([0-9a-f]{16})</code>", page.body.decode())
        assert (query, [int(one, 16) for one in rows]) == (query, numbers)


async def test_a_sample_has_all_that_is_known(node: Any) -> None:
    fill(node.app.ctx.book)
    (failed,) = (await shown(node, "/debug/tracez?error="))["spans"]
    assert failed == {
        "name": "GET /v1/pods",
        "kind": "server",
        "trace_id": TRACE,
        "span_id": "0000000000000002",
        "parent_span_id": "",
        "time": "2026-11-20T09:15:04.000000000Z",
        "start_ns": 1_795_166_104 * 10**9,
        "duration_ns": 2 * 10**6,
        "running": False,
        "error": "error",
        "message": "no runtime",
        "attributes": {},
        "events": [{"name": "half way", "after_ns": 5, "attributes": {}}],
        "left_out": 0,
    }


async def test_requests_are_shown_by_side_and_by_time(node: Any) -> None:
    node.app.ctx.book.since_ns = 1_795_166_000 * 10**9
    fill(node.app.ctx.book)
    answer = await shown(node, "/debug/rpcz")
    (server,), (client,) = answer["server"], answer["client"]
    assert (server["name"], client["name"]) == ("GET /v1/pods", "ask node")
    total = server["windows"]["total"]
    assert (total["count"], total["errors"], total["max_ns"]) == (2, 1, 2 * 10**6)
    assert (total["received_bytes"], total["sent_bytes"]) == (7, 100)
    assert total["p50_ns"] == pytest.approx(2 * 10**6, rel=answer["relative_error"])
    assert total["rate_per_second"] == pytest.approx(2 / total["seconds"])
    assert set(server["windows"]) == {"minute", "hour", "total"}
    assert (await shown(node, "/debug/rpcz?name=ask%20node"))["server"] == []
    page = (await node.ask("GET", "/debug/rpcz", headers=BROWSER)).body.decode()
    assert page.index("Answered") < page.index("GET /v1/pods") < page.index("Asked for")


async def test_who_fills_the_book_with_tags_gets_texts(node: Any) -> None:
    for kind in (SingleSpanKind.SERVER, SingleSpanKind.CLIENT):
        attributes = {HOSTILE: HOSTILE, "error.type": HOSTILE}
        book = node.app.ctx.book
        book.ended(over(HOSTILE, kind=kind, attributes=attributes))
        book.ended(over(HOSTILE, kind=kind, attributes=attributes, failed=True, message=HOSTILE))
    visible = HOSTILE.replace("\0", "\\x00").replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")
    links = set[str]()
    for path in ("/debug/tracez", f"/debug/tracez?trace_id={TRACE}", "/debug/rpcz"):
        page = (await node.ask("GET", path, headers=BROWSER)).body.decode()
        links.update(re.findall(r'href="(/debug/[^"]+[?][^"]+)"', page))
        assert visible in unescape(page)
        assert Nesting(page).seen <= set(TAGS.split())
        assert not re.search(r"[\0\x1b\u202e]", page)
    assert len(links) >= 4
    for link in links:
        (found, *_) = (await shown(node, unescape(link)))["spans"]
        assert found["name"] == visible


async def test_browsers_are_told_to_load_and_run_nothing(node: Any) -> None:
    fill(node.app.ctx.book)
    for path in ("/debug", "/debug/", "/debug/tracez", "/debug/tracez?error=", "/debug/rpcz"):
        answer = await node.ask("GET", path, headers=BROWSER)
        assert (answer.status, answer.media_type) == (200, "text/html")
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        page = answer.body.decode()
        assert "table" in Nesting(page).seen or path.rstrip("/") == "/debug"
        links = set(re.findall(r'(?:src|href|action)="([^"]*)"', page))
        assert all(one == "data:," or one.startswith("/debug") for one in links)


FORMS: Sequence[tuple[Mapping[str, str], str, str]] = [
    (BROWSER, "", "text/html"),
    ({"Accept": "*/*"}, "", "text/html"),
    ({"Accept": ""}, "", "text/html"),
    (PROGRAM, "", "application/json"),
    ({"Accept": "application/json;q=0.9, text/plain"}, "", "application/json"),
    ({"Accept": "text/html, application/json"}, "", "text/html"),
    (BROWSER, "?format=json", "application/json"),
    (PROGRAM, "?format=html", "text/html"),
]


async def test_the_form_is_what_is_asked_for(node: Any) -> None:
    for headers, query, media_type in FORMS:
        for path in ("/debug", "/debug/tracez", "/debug/rpcz"):
            answer = await node.ask("GET", path + query, headers=headers)
            assert (answer.status, answer.media_type) == (200, media_type)
            assert answer.headers["Vary"] == "Accept"


REFUSED = {
    "tracez?bucket=9": "'bucket' must be a number from 0 to 8",
    "tracez?bucket=-1": "'bucket'",
    "tracez?bucket=%D9%A3": "'bucket'",
    "tracez?bucket=": "'bucket'",
    "tracez?running=1": "'running' must be true or false",
    "tracez?trace_id=xyz": "'trace_id'",
    "tracez?trace_id=" + "1" * 33: "'trace_id'",
    "tracez?name=a&name=b": "more than once",
    "tracez?bucket=1&error=": "name one",
    "tracez?running=true&bucket=1": "name one",
    "tracez?who=me": "'who' is unknown",
    "tracez?format=xml": "html, json",
    "rpcz?bucket=1": "'bucket' is unknown",
    "?name=x": "'name' is unknown",
}


async def test_a_query_that_cannot_be_is_refused_with_a_sentence(node: Any) -> None:
    for query, said in REFUSED.items():
        answer = await node.ask("GET", f"/debug/{query}", headers=PROGRAM)
        assert (answer.status, query) == (400, query)
        assert said in answer.json["detail"]


async def test_no_more_samples_are_shown_than_fit_a_page(node: Any) -> None:
    book = node.app.ctx.book
    for number in range(MAX_SHOWN + 20):
        duration_ns = BUCKET_FLOORS_NS[number // 4 % 9]
        book.ended(over(f"name {number // 36}", number=number + 1, duration_ns=duration_ns))
    kept = [len(list(one.samples(0))) for one in book.names.values()]
    answer = await shown(node, f"/debug/tracez?trace_id={TRACE}")
    assert len(answer["spans"]) == MAX_SHOWN
    assert answer["spans_left_out"] == sum(kept) - MAX_SHOWN > 0


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        ({}, 200),
        ({"actions": ["get"]}, 200),
        ({"actions": ["create", "update", "delete"]}, 403),
        ({"hooks": ["trace_exec"]}, 403),
        ({"namespaces": ["shop"]}, 403),
    ],
)
async def test_who_may_not_see_every_session_may_not_see_what_all_did(
    tmp_path: Path, limits: dict[str, list[str]], status: int
) -> None:
    token = "reader-0123456789abcdef"
    tokens = tmp_path / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text(json.dumps({"tokens": [{"name": "reader", "token": token, **limits}]}))
    file = TokenFile(tokens)
    file.load()
    gate = Gate(access=TokenFileAccessControl(file=file, clock=FakeClock()))
    async with node_behind(gate) as node:
        for path in ("/debug/tracez", "/debug/rpcz"):
            answer = await node.ask("GET", path, headers={"Authorization": f"Bearer {token}"})
            assert answer.status == status
