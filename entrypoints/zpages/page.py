"""A page that needs nothing from elsewhere and runs nothing."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from sanic.response import HTTPResponse

from ... import __version__
from .markup import Content, Html, element, joined

TRACEZ, RPCZ = "/debug/tracez", "/debug/rpcz"
PAGES = (("tracez", TRACEZ), ("rpcz", RPCZ))

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #1769c2; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 90rem; margin: 0 auto; padding: 1rem; }
h1 small, .quiet { font-weight: normal; opacity: .6; }
h2 { margin: 2rem 0 .5rem; }
nav a { margin-right: 1rem; }
a { color: var(--accent); }
code, td, th { font: .875rem/1.45 ui-monospace, monospace; }
div { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { text-align: right; vertical-align: top; padding: .2rem .8rem .2rem 0; }
th { border-bottom: 1px solid var(--line); }
th.text, td.text { text-align: left; overflow-wrap: anywhere; min-width: 8rem; }
tbody tr:nth-child(even) { background: var(--soft); }
dl { display: grid; grid-template-columns: max-content auto; gap: 0 .8rem; margin: 0; }
dd { margin: 0; overflow-wrap: anywhere; }
.failed { color: #c0392b; }
input { font: inherit; width: 22rem; }
"""
_HASH = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)


def page_answer(title: str, program: str, *inside: Content) -> HTTPResponse:
    """Answer with a page; browsers are told not to load or run anything."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{title} - {program}"),
        element("link", rel="icon", href="data:,"),
        element("style", Html(_STYLE)),
    )
    heading = element("h1", program, " ", element("small", f"{__version__} {title}"))
    navigation = element("nav", *(element("a", name, href=path) for name, path in PAGES))
    body = element("body", heading, navigation, *inside)
    return HTTPResponse(
        f"<!DOCTYPE html>\n{element('html', head, body, lang='en').text}\n",
        content_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": _POLICY, "Vary": "Accept"},
    )


def link(inside: Content, path: str, query: Mapping[str, str | int]) -> Html:
    """Write a link to another view."""
    return element("a", inside, href=f"{path}?{urlencode(query)}")


def table(head: Sequence[Content], rows: Sequence[Sequence[Content]], *, texts: int) -> Html:
    """Write a table whose first columns are texts, and the others numbers."""
    cells = [_cells("th", head, texts)]
    body = [element("tr", *_cells("td", row, texts)) for row in rows]
    made = element("table", element("thead", element("tr", *cells[0])), element("tbody", *body))
    return element("div", made)


def _cells(tag: str, row: Sequence[Content], texts: int) -> list[Html]:
    return [
        element(tag, one, class_="text") if place < texts else element(tag, one)
        for place, one in enumerate(row)
    ]


def paragraph(*inside: Content) -> Html:
    """Write a paragraph that explains."""
    return element("p", joined(*inside), class_="quiet")
