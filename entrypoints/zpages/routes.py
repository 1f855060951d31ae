"""The routes of the pages, in the API of every role and at an address of their own."""

from collections.abc import Sequence

from attrs import frozen
from sanic import Blueprint
from sanic.response import HTTPResponse

from ...domain.model.access import Action
from ..rest.context import Req
from ..rest.json_answer import Json, json_answer
from ..rest.routing import add_route, query_of
from .markup import element
from .page import PAGES, page_answer, paragraph
from .queries import (
    INDEX_PARAMETERS,
    RPCZ_PARAMETERS,
    TRACEZ_PARAMETERS,
    Query,
    check_known,
    once,
    parse_choice,
    wants_json,
)
from .rpcz import rpcz_json, rpcz_page
from .tracez import tracez_json, tracez_page


def zpages_blueprint(program: str) -> Blueprint:
    """Make the routes below `/debug`."""
    pages, blueprint = ZPages(program), Blueprint("zpages", url_prefix="/debug")
    add_route(blueprint, "/", GET=pages.index)
    add_route(blueprint, "/tracez", GET=pages.tracez)
    add_route(blueprint, "/rpcz", GET=pages.rpcz)
    return blueprint


@frozen
class ZPages:
    """The pages of a program."""

    program: str

    async def index(self, request: Req) -> HTTPResponse:
        """Show which pages there are."""
        if _json_wanted(request, INDEX_PARAMETERS):
            return _answer({"pages": [path for _, path in PAGES]})
        return page_answer(
            "zPages",
            self.program,
            paragraph("What this program itself does, and did lately."),
            element(
                "ul",
                element("li", "tracez: spans by name, by how long they took and how they failed"),
                element("li", "rpcz: requests that were answered and made"),
            ),
        )

    async def tracez(self, request: Req) -> HTTPResponse:
        """Show spans by name, and samples."""
        await request.ctx.permissions.check_everything(Action.GET)
        as_json = _json_wanted(request, TRACEZ_PARAMETERS)
        choice = parse_choice(query_of(request))
        book, now_ns = request.app.ctx.book, request.app.ctx.spans.clock.wall_ns()
        if as_json:
            return _answer(tracez_json(book, choice, now_ns))
        return tracez_page(book, choice, now_ns, program=self.program)

    async def rpcz(self, request: Req) -> HTTPResponse:
        """Show requests by name, lately and in all."""
        await request.ctx.permissions.check_everything(Action.GET)
        as_json = _json_wanted(request, RPCZ_PARAMETERS)
        name = once("name", query_of(request))
        book, now_ns = request.app.ctx.book, request.app.ctx.spans.clock.wall_ns()
        if as_json:
            return _answer(rpcz_json(book, name, now_ns))
        return rpcz_page(book, name, now_ns, program=self.program)


def _json_wanted(request: Req, known: Sequence[str]) -> bool:
    query: Query = query_of(request)
    check_known(query, known)
    return wants_json(query, request.headers.get("accept", ""))


def _answer(body: Json) -> HTTPResponse:
    return json_answer(body, headers={"Vary": "Accept"})
