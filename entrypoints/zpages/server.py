"""The pages at an address of their own, where nothing else of the API is, and nobody is asked."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

import structlog
from sanic import Blueprint

from ...domain.services.open_access import OpenAccess
from ..rest.access import gate
from ..rest.app import build_app
from ..rest.context import App, Context
from ..rest.listening import address_of, listen_or_exit
from ..rest.routing import add_route
from ..rest.serving import serving
from ..values import Address
from .routes import ZPages, zpages_blueprint

VARIABLE = "ZPAGES_PORT"
GRACE_SECONDS = 0.5

_log = structlog.get_logger()


def build_zpages(
    program: str, context: Context, *, address: Address | None, request_rate: int
) -> App | None:
    """Make the application, if there is an address for it."""
    if address is None:
        return None
    root = Blueprint("root")
    add_route(root, "/", GET=ZPages(program).index)
    way_in = gate(OpenAccess(), address=address, request_rate=request_rate)
    app = build_app(f"{program}-zpages", context, [root, zpages_blueprint(program)], way_in)
    # Sanic rewrites its own methods for an application, which it can do for one of a program only.
    app.config.TOUCHUP = False
    return app


def listen_for_zpages(program: str, address: Address | None) -> socket.socket | None:
    """Bind, if there is an address; if that fails, say why and exit with status 2."""
    return listen_or_exit(f"{program}: {VARIABLE}", address) if address else None


@asynccontextmanager
async def serving_zpages(app: App | None, listener: socket.socket | None) -> AsyncIterator[None]:
    """Serve them while in the block, if there is an address for them."""
    if app is None or listener is None:
        yield
        return
    with listener:
        async with serving(app, listener, grace_seconds=GRACE_SECONDS):
            _log.info("zpages.serving", **address_of(listener))
            if not ip_address(listener.getsockname()[0]).is_loopback:
                _log.warning(
                    "zpages.open",
                    meaning="anybody who reaches this address can see what this program does;"
                    f" set {VARIABLE} to localhost:PORT, or keep others out with a network policy",
                )
            yield
