"""Connections that somebody else makes, as through a cluster's API: no address, no listener."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

import aiohttp
from aiohttp.client_proto import ResponseHandler

if TYPE_CHECKING:
    from aiohttp.tracing import Trace

Dial: TypeAlias = Callable[[], Awaitable[socket.socket]]
"""Return a connected stream socket, one for each connection; it is closed by who asked for it."""


class DialConnector(aiohttp.BaseConnector):
    """Gets its connections by dialling; those of https are made safe here, from end to end."""

    def __init__(self, dial: Dial, tls: ssl.SSLContext | None = None) -> None:
        """Take how to dial, and whom to trust; None trusts whom the system trusts."""
        super().__init__()
        self._dial = dial
        self._tls = tls

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: "list[Trace]",  # noqa: ARG002 - not ours to change
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the connector's
    ) -> ResponseHandler:
        tls = (self._tls or ssl.create_default_context()) if req.is_ssl() else None
        async with asyncio.timeout(timeout.sock_connect):
            end = await self._dial()
            try:
                _, handler = await self._loop.create_connection(
                    self._factory,
                    sock=end,
                    ssl=tls,
                    server_hostname=req.url.raw_host if tls else None,
                )
            except ssl.CertificateError as error:
                end.close()
                raise aiohttp.ClientConnectorCertificateError(req.connection_key, error) from error
            except BaseException:
                end.close()
                raise
        return handler
