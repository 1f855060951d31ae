"""Requests to the API of Kubernetes: who asks, where, and by which certificates.

Objects stay what the JSON says: one that is malformed would spoil a whole list of typed ones.
"""

import json
from asyncio import to_thread
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Self, TypeAlias
from urllib.parse import urlencode

import aiohttp
from attrs import define, frozen
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from ... import __version__
from .configuration import configure
from .errors import configuration_errors, kubernetes_errors, no_kubernetes, refusal
from .settings import KubernetesSettings

Json: TypeAlias = dict[str, Any]
Query: TypeAlias = Mapping[str, str]

_LONGEST_LINE_BYTES = 8 << 20
_LONGEST_REFUSAL_BYTES = 64 << 10
_NO_QUERY: Query = {}


@frozen
class _Request:
    method: str
    url: str
    patience: aiohttp.ClientTimeout
    body: Json | None = None


@define(kw_only=True, eq=False)
class KubernetesConnection:
    """Keeps connections alive until it is closed. `namespace` is where it is at home.

    Every method raises `ClusterUnavailable`.
    """

    settings: KubernetesSettings
    namespace: str
    _configuration: Configuration
    _transport: RESTClientObject

    @classmethod
    async def open(cls, settings: KubernetesSettings) -> Self:
        """Read the kubeconfig or service account; nothing is asked yet."""
        configuration, namespace = await configure(settings)
        with configuration_errors("A certificate for the Kubernetes API"):
            transport = await to_thread(RESTClientObject, configuration)
        return cls(
            settings=settings,
            namespace=settings.namespace or namespace,
            configuration=configuration,
            transport=transport,
        )

    @property
    def address(self) -> str:
        """Return the URL of the API."""
        return str(self._configuration.host)

    async def get(self, path: str, query: Query = _NO_QUERY) -> Json:
        """Return the object, or list, at a path."""
        return await self._ask("GET", path, query)

    async def post(self, path: str, body: Json) -> Json:
        """Create an object, or have a question answered, such as a TokenReview."""
        return await self._ask("POST", path, _NO_QUERY, body)

    async def put(self, path: str, body: Json) -> Json:
        """Replace an object."""
        return await self._ask("PUT", path, _NO_QUERY, body)

    async def delete(self, path: str) -> Json:
        """Delete an object."""
        return await self._ask("DELETE", path, _NO_QUERY)

    async def watch(self, path: str, query: Query, *, seconds: int) -> AsyncGenerator[Json, None]:
        """Yield the events of a watch until the server ends it, which it does after `seconds`."""
        asked = {**query, "watch": "true", "timeoutSeconds": str(seconds)}
        patience = aiohttp.ClientTimeout(
            sock_connect=self.settings.timeout_seconds,
            sock_read=seconds + self.settings.timeout_seconds,
        )
        async with self._response(_Request("GET", self._url(path, asked), patience)) as response:
            rest = bytearray()
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield self._object(line)
                if len(rest) > _LONGEST_LINE_BYTES:
                    raise no_kubernetes(self.address)

    @asynccontextmanager
    async def websocket(
        self, path: str, query: Query = _NO_QUERY, *, protocols: tuple[str, ...]
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open a WebSocket in the block, with one of the protocols.

        Inside of it errors are those of aiohttp.
        """
        with kubernetes_errors(self.address):
            try:
                socket = await self._session().ws_connect(
                    self._url(path, query),
                    headers=await self._headers(),
                    protocols=protocols,
                    timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
                    proxy=self._configuration.proxy,
                    server_hostname=self._configuration.tls_server_name or None,
                )
            except aiohttp.WSServerHandshakeError as error:
                headers = dict(error.headers or {})
                raise refusal(self.address, error.status, headers, b"") from error
        async with socket:
            yield socket

    async def close(self) -> None:
        """Hang up; again is harmless."""
        await self._transport.close()

    async def _ask(self, method: str, path: str, query: Query, body: Json | None = None) -> Json:
        patience = aiohttp.ClientTimeout(total=self.settings.timeout_seconds)
        request = _Request(method, self._url(path, query), patience, body)
        async with self._response(request) as response:
            return self._object(await response.read())

    @asynccontextmanager
    async def _response(self, request: _Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield an answer that says success; whoever is unknown reads his credentials again."""
        with kubernetes_errors(self.address):
            response = await self._send(request)
            if response.status == HTTPStatus.UNAUTHORIZED:
                response.release()
                await self._renew()
                response = await self._send(request)
            async with response:
                if not response.ok:
                    said = await response.content.read(_LONGEST_REFUSAL_BYTES)
                    raise refusal(self.address, response.status, response.headers, said)
                yield response

    async def _send(self, request: _Request) -> aiohttp.ClientResponse:
        sent = await self._transport.request(  # type: ignore[no-untyped-call]
            request.method,
            request.url,
            headers=await self._headers(),
            body=request.body,
            _request_timeout=request.patience,
        )
        response: aiohttp.ClientResponse = sent.response
        return response

    async def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": f"container-tracer/{__version__}"}
        with configuration_errors("The token for the Kubernetes API"):
            token = await self._configuration.get_api_key_with_prefix("BearerToken")
        return headers | ({"Authorization": token} if token else {})

    async def _renew(self) -> None:
        """Read the credentials again: tokens are rotated, and some last for minutes only."""
        fresh, _ = await configure(self.settings)
        self._configuration.api_key = fresh.api_key
        self._configuration.refresh_api_key_hook = fresh.refresh_api_key_hook

    def _session(self) -> aiohttp.ClientSession:
        if self._transport.pool_manager is None:
            self._transport.pool_manager = self._transport._create_pool_manager()  # noqa: SLF001 - as the library's own WebSockets do
        return self._transport.pool_manager

    def _url(self, path: str, query: Query) -> str:
        return f"{self.address}{path}?{urlencode(query)}" if query else f"{self.address}{path}"

    def _object(self, text: bytes | bytearray) -> Json:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise no_kubernetes(self.address)
        return value
