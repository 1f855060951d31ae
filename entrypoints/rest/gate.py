"""Every request passes here first: whose is it, may a browser send it, does he ask too often."""

import time
from collections.abc import Callable

from attrs import Factory, define, field
from sanic.compat import Header

from ...domain.model.access import Unauthenticated
from ...domain.model.rate_limit import RateLimit, RequestRates
from ...domain.services.open_access import ANYBODY, OpenAccess
from ...domain.services.permissions import Permissions
from ...ports.access_control import AccessControl
from .browsers import check_local_name, check_origin
from .context import PROBES, Req

BURST_SECONDS = 2.0
"""Somebody who asked for nothing for so long may ask for all of that at once."""


def request_rates(rate: int) -> RequestRates:
    """Let each client ask so often a second; 0 is no limit."""
    return RequestRates(limit=RateLimit(rate=rate, burst=rate * BURST_SECONDS))


@define(kw_only=True)
class Gate:
    """Lets a request in, or raises why not; `local` is a server on loopback addresses only."""

    access: AccessControl = field(factory=OpenAccess)
    rates: RequestRates = Factory(lambda: request_rates(0))
    local: bool = False
    now_seconds: Callable[[], float] = time.monotonic

    @property
    def open(self) -> bool:
        """Tell whether nobody is asked who he is."""
        return isinstance(self.access, OpenAccess)

    async def let_in(self, request: Req) -> None:
        """Find out who asks, and note it in the request; raise `RequestError` or `PortError`."""
        request.ctx.permissions = Permissions(access=self.access, identity=ANYBODY)
        if request.path in PROBES:
            return
        check_origin(request.headers)
        if self.open and self.local:
            check_local_name(request.headers.get("host", ""))
        client = await self._client(request)
        self.rates.take(client, self.now_seconds())

    async def _client(self, request: Req) -> str:
        """Name who asks, for the limit of his rate; a failure counts for his address."""
        address = f"address {request.client_ip}"
        if self.open:
            return address
        try:
            identity = await self.access.identify(bearer_token(request.headers))
        except Unauthenticated:
            self.rates.take(address, self.now_seconds())
            raise
        request.ctx.permissions = Permissions(access=self.access, identity=identity)
        request.ctx.audit.who = identity.name
        return f"identity {identity.name}"


def bearer_token(headers: Header) -> str:
    """Return the token that a request shows; raise `Unauthenticated` if it shows none."""
    given: list[str] = headers.getall("authorization", [])
    if not given:
        raise Unauthenticated("This needs a token, in the header 'Authorization: Bearer TOKEN'.")
    scheme, _, token = given[0].strip().partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("Write one header 'Authorization: Bearer TOKEN', and no other form.")
    return token.strip()
