"""The server: a Kubernetes API on a loopback port."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

from aiohttp import web
from attrs import define, evolve, field

from .access import ANONYMOUS, Access
from .calls import RESOURCES, SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS, Call, Resource, read_call
from .faults import Fault, misbehave, take
from .listing import Listing, selecting
from .objects import Objects
from .statuses import Refused
from .watches import Watch, Watches

Subresource: TypeAlias = Callable[[web.Request, Call], Awaitable[web.StreamResponse]]

_VERSION = {"major": "1", "minor": "34", "gitVersion": "v1.34.0", "platform": "linux/amd64"}
_GROUPS = frozenset(one.group for one in RESOURCES)
_NO_RESOURCE = "the server could not find the requested resource"
_PROBES = ("/livez", "/readyz", "/healthz")


@define(kw_only=True, eq=False)
class FakeKubernetesApi:
    """Serves `objects`; `calls` are all that came in, `faults` what befalls those to come.

    As an async context manager it listens from the beginning to the end; in between it may be
    stopped and started, at the same port. `absent` are groups or resources that it does not know.
    `subresources` answer requests such as `("pods", "portforward")`.
    """

    objects: Objects = field(factory=Objects)
    access: Access = field(factory=Access)
    watches: Watches = field(factory=Watches)
    faults: list[Fault] = field(factory=list)
    calls: list[Call] = field(factory=list)
    absent: set[str] = field(factory=set)
    subresources: dict[tuple[str, str], Subresource] = field(factory=dict)
    host: str = "127.0.0.1"
    port: int = 0
    tls: ssl.SSLContext | None = None
    _listing: Listing = field(init=False)
    _runner: web.AppRunner | None = None
    _open: set[asyncio.Transport] = field(factory=set)
    _came: asyncio.Condition = field(factory=asyncio.Condition)

    def __attrs_post_init__(self) -> None:
        """Let lists be made of the same objects."""
        self._listing = Listing(self.objects)

    @property
    def url(self) -> str:
        """Where it listens."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    async def start(self) -> None:
        """Listen."""
        app = web.Application(client_max_size=8 << 20)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port, ssl_context=self.tls).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Refuse connections, and hang up."""
        runner, self._runner = self._runner, None
        if runner is not None:
            for transport in list(self._open):
                transport.abort()
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        """Listen."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        await self.stop()

    def write_kubeconfig(
        self, path: Path, *, token: str = "", namespace: str = "", ca_file: Path | None = None
    ) -> Path:
        """Write a file that leads here, and return its path."""
        cluster: dict[str, Any] = {"server": self.url}
        if ca_file:
            cluster["certificate-authority"] = str(ca_file)
        context = {"cluster": "fake", "user": "fake", "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "fake", "cluster": cluster}],
            "users": [{"name": "fake", "user": {"token": token} if token else {}}],
            "contexts": [{"name": "fake", "context": {k: v for k, v in context.items() if v}}],
            "current-context": "fake",
        }
        path.write_text(json.dumps(config))  # which is YAML, too
        return path

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait for a call that makes it so."""
        async with self._came:
            await self._came.wait_for(happened)

    async def watched(self, *resources: str, times: int = 1) -> None:
        """Wait until each of the resources has been watched so often, and is watched now."""

        def so() -> bool:
            asked = [one.resource for one in self.calls if one.verb == "watch"]
            return all(asked.count(one) >= times and self.watches.of(one) for one in resources)

        await self.until(so)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None  # noqa: S101 - for mypy
        self._open.add(request.transport)
        try:
            return await self._answer(request)
        except Refused as refusal:
            return web.json_response(refusal.status, status=refusal.code)
        finally:
            if request.transport is not None:
                self._open.discard(request.transport)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        call = read_call(request.method, request.path, dict(request.query))
        call = await self._note(call, request)
        if fault := take(self.faults, call):
            return await misbehave(fault, request)
        authorization = request.headers.get("Authorization", "")
        is_probe = request.path in _PROBES
        user = ANONYMOUS if is_probe and not authorization else self.access.user(authorization)
        if is_probe:
            return web.Response(text="ok")
        if request.path == "/version":
            return web.json_response(_VERSION)
        self.access.check(call, user)
        resource = call.described
        if call.group in self.absent or not call.resource or call.group not in _GROUPS:
            return web.Response(status=404, text="404 page not found\n")
        if resource is None or call.resource in self.absent:
            raise Refused(404, "NotFound", _NO_RESOURCE)
        if special := self.subresources.get((call.resource, call.subresource)):
            return await special(request, call)
        if call.subresource not in ("", "status"):
            raise Refused(404, "NotFound", _NO_RESOURCE)
        return await self._about(request, call, resource)

    async def _note(self, call: Call, request: web.Request) -> Call:
        token = request.headers.get("Authorization", "").partition(" ")[2]
        user = self.access.users.get(token)
        call = evolve(call, user=user.name if user else "")
        self.calls.append(call)
        await self._notify()
        return call

    async def _notify(self) -> None:
        async with self._came:
            self._came.notify_all()

    async def _about(
        self, request: web.Request, call: Call, resource: Resource
    ) -> web.StreamResponse:
        namespace = call.namespace if resource.namespaced else ""
        match call.verb:
            case "get":
                return web.json_response(self.objects.find(resource, namespace, call.name))
            case "list":
                return web.json_response(self._listing.answer(call, resource))
            case "watch":
                return await self._watch(request, call, resource)
            case "create":
                body = await _body(request, resource, namespace)
                return web.json_response(await self._create(resource, body), status=201)
            case "update":
                before = self.objects.find(resource, namespace, call.name)
                body = await _body(request, resource, namespace)
                new = {**before, "status": body.get("status")} if call.subresource else body
                await self.objects.put(new)
                return web.json_response(self.objects.find(resource, namespace, call.name))
            case "delete":
                gone = await self.objects.delete(resource, call.name, namespace=namespace)
                return web.json_response(gone)
        raise Refused(405, "MethodNotAllowed", "the server does not allow this method")

    async def _create(self, resource: Resource, body: dict[str, Any]) -> dict[str, Any]:
        if resource is TOKEN_REVIEWS:
            return {**body, "status": self.access.review_token(body.get("spec") or {})}
        if resource is SUBJECT_ACCESS_REVIEWS:
            return {**body, "status": self.access.review_access(body.get("spec") or {})}
        key = body["metadata"].get("namespace", ""), body["metadata"]["name"]
        if key in self.objects.of(resource):
            raise Refused(409, "AlreadyExists", f'{resource.plural} "{key[1]}" already exists')
        await self.objects.put(body)
        return self.objects.find(resource, *key)

    async def _watch(
        self, request: web.Request, call: Call, resource: Resource
    ) -> web.StreamResponse:
        matches = selecting(call, resource)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        assert request.transport is not None  # noqa: S101 - for mypy
        watch = Watch(
            call=call,
            resource=resource,
            matches=matches,
            response=response,
            transport=request.transport,
        )
        self.watches.open.add(watch)
        try:
            await self._notify()
            await watch.run(self.objects)
        finally:
            self.watches.open.discard(watch)
        return response


async def _body(request: web.Request, resource: Resource, namespace: str) -> dict[str, Any]:
    try:
        body = json.loads(await request.text())
    except ValueError as error:
        raise Refused(400, "BadRequest", f"the object provided is unrecognized: {error}") from error
    if not isinstance(body, dict) or body.get("kind", resource.kind) != resource.kind:
        raise Refused(400, "BadRequest", f"the object provided is no {resource.kind}")
    body = {"kind": resource.kind, "apiVersion": resource.api_version, **body}
    body["metadata"] = {**(body.get("metadata") or {})}
    if namespace:
        body["metadata"]["namespace"] = namespace
    return body
