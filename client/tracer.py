"""The client: what a tracer can be asked for, as methods."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from typing import Any, Self, TypeVar

from attrs import define, evolve

from .connection import Connection, parse_url, to_its_end
from .errors import ClientError, Refused, ServerUnreachable, UnexpectedAnswer
from .events import End, Event, Opened, read_event
from .reading import read_hooks, read_pods, read_session, read_summary
from .request import TraceRequest, pods_path
from .values import Hook, Json, Pod, Session, Summary

ALL = "all"
SESSIONS = "/v1/trace-session"
SILENCE_SECONDS = 15.0
"""A stream has a sign of life each second; one that is silent for so long is dead."""

LEASE_SECONDS = 30.0
"""A temporary session outlives a client that was killed by so long at most."""

NOT_FOUND = 404

T = TypeVar("T")


@define(kw_only=True, eq=False)
class LiveTrace:
    """A session that runs as long as its block; iterating over it gives its events.

    `end` is the last of them, once it has come.
    """

    session: Session
    end: End | None = None
    _client: "TracerClient"
    _events: AsyncIterator[Event]

    def __aiter__(self) -> Self:
        """Iterate over the events."""
        return self

    async def __anext__(self) -> Event:
        """Wait for the next event; the one after `End` is none."""
        if self.end is not None:
            raise StopAsyncIteration
        event = await anext(self._events)
        if isinstance(event, End):
            self.end = event
        return event

    async def stop(self) -> None:
        """Let it trace no more; what it has seen still comes, then `End`."""
        await self._client.stop(self.session.handle)


class TracerClient:
    """A client of one tracer, node or svc: `async with TracerClient("http://host:8080") as …`.

    Every method raises `ClientError`: `Refused` with the tracer's own words, `ServerUnreachable`,
    or `UnexpectedAnswer`.
    """

    def __init__(self, url: str, *, token: str = "", timeout_seconds: float = 30.0) -> None:
        """Take `http://HOST:PORT`, `https://HOST:PORT` or `unix:/PATH`; raise `InvalidUrl`."""
        self._connection = Connection(
            endpoint=parse_url(url), token=token, timeout_seconds=timeout_seconds
        )

    async def __aenter__(self) -> Self:
        """Prepare; nothing is sent yet."""
        await self._connection.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection; sessions stay as they are."""
        await self._connection.__aexit__()

    async def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Send any request, and return the JSON object it is answered with."""
        return await self._connection.ask(method, path, body)

    async def ready(self) -> None:
        """Raise `Refused` with the reason where the kernel cannot be traced."""
        await self.ask("GET", "/readyz")

    async def metrics(self) -> str:
        """Return the metrics, in Prometheus' text format."""
        return await self._connection.text("/metrics")

    async def pods(
        self,
        *,
        pod: str = "",
        container: str = "",
        namespace: str = "",
        labels: str = "",
        vmm: bool = False,
    ) -> tuple[Pod, ...]:
        """List pods and containers: all, or those a `TraceRequest` of these words would select."""
        path = pods_path(pod=pod, container=container, namespace=namespace, labels=labels, vmm=vmm)
        return await self._get(path, read_pods)

    async def hooks(self) -> tuple[Hook, ...]:
        """List trace hooks."""
        return await self._get("/v1/trace-hooks", read_hooks)

    async def create(self, request: TraceRequest, *, run: bool = False) -> tuple[Session, ...]:
        """Make a session: one, or one for each node that has a part in it."""
        body = await self.ask("POST", SESSIONS, request.body(run=run))
        with _reading():
            sessions = tuple(map(read_session, body.values()))
        if not sessions:
            raise UnexpectedAnswer("The tracer made a session, but does not say which.")
        return sessions

    async def sessions(self) -> tuple[Session, ...]:
        """Describe all sessions, oldest first."""
        return await self._get(f"{SESSIONS}/{ALL}", _sessions)

    async def session(self, session_id: str) -> Session:
        """Describe one session."""
        found = await self._get(_path(session_id), _sessions)
        if not found:
            raise UnexpectedAnswer(f"The tracer knows session {session_id}, but says nothing.")
        return found[0]

    async def start(self, session_id: str) -> None:
        """Let a session trace; one that does is left alone."""
        await self.ask("PUT", _path(session_id), {"Run": True})

    async def stop(self, session_id: str) -> None:
        """Let a session trace no more; returns when its last spans were delivered."""
        await self.ask("PUT", _path(session_id), {"Run": False})

    async def delete(self, session_id: str) -> None:
        """Stop and forget a session, or `all` of them."""
        await self.ask("DELETE", _path(session_id))

    async def summary(self, session_id: str) -> Summary:
        """Count calls and their latencies, of the run that runs or of the last one."""
        found = await self.summaries(session_id)
        if not found:
            raise UnexpectedAnswer(f"The tracer has no summary of session {session_id}.")
        return found[0]

    async def summaries(self, session_id: str = ALL) -> tuple[Summary, ...]:
        """Return the summaries of all sessions, or of all parts of one."""
        return await self._get(f"{_path(session_id)}/summary", _summaries)

    async def events(self, session_id: str) -> AsyncGenerator[Event, None]:
        """Watch a session: `Opened`, then spans from now on, `End` at last."""
        async with self._connection.lines(
            f"{_path(session_id)}/events", silence_seconds=SILENCE_SECONDS
        ) as lines:
            async for line in lines:
                event = read_event(line)
                if event is not None:
                    yield event
                if isinstance(event, End):
                    return
        raise ServerUnreachable("The stream of events broke off; the tracer may have died.")

    @asynccontextmanager
    async def temporary(self, request: TraceRequest, *, run: bool = True) -> AsyncIterator[Session]:
        """Make a session that lives as long as the block, and is deleted whatever happens.

        If this program is killed, the tracer deletes it after `LEASE_SECONDS`, unless the request
        says otherwise.
        """
        lease = LEASE_SECONDS if request.lease is None else request.lease
        session = await self._create_surely(evolve(request, lease=lease), run=run)
        asking = asyncio.create_task(self._keep_asking(session.handle), name="renew lease")
        try:
            yield session
        finally:
            asking.cancel()
            await self.delete_surely(session.handle)

    async def _keep_asking(self, session_id: str) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            with suppress(ClientError):
                await self.session(session_id)

    @asynccontextmanager
    async def trace(self, request: TraceRequest) -> AsyncIterator[LiveTrace]:
        """Trace as long as the block: a temporary session, watched before it starts.

        So nothing is missed. It is deleted whatever happens in the block, be it an error or a
        cancellation.
        """
        async with (
            self.temporary(request, run=False) as session,
            aclosing(self.events(session.handle)) as events,
        ):
            await _until_opened(events)
            await self.start(session.handle)
            yield LiveTrace(session=session, client=self, events=events)

    async def delete_surely(self, session_id: str) -> None:
        """Delete a session even while we are cancelled; one that is gone is fine."""
        deletion = asyncio.create_task(self.delete(session_id), name="delete session")
        await to_its_end(deletion)
        try:
            await deletion
        except Refused as refused:
            if refused.problem.status != NOT_FOUND:
                raise

    async def _create_surely(self, request: TraceRequest, *, run: bool) -> Session:
        creation = asyncio.create_task(self.create(request, run=run), name="create session")
        try:
            await to_its_end(creation)
        except asyncio.CancelledError:
            with suppress(ClientError):
                await self.delete_surely((await creation)[0].handle)
            raise
        return (await creation)[0]

    async def _get(self, path: str, read: Callable[[Json], T]) -> T:
        body = await self.ask("GET", path)
        with _reading():
            return read(body)


async def _until_opened(events: AsyncIterator[Event]) -> None:
    async for event in events:
        if isinstance(event, Opened):
            return


def _path(session_id: str) -> str:
    if not session_id.isascii() or not session_id.isalnum():
        raise ValueError(f"{session_id!r} is no id of a session: ids are decimal numbers.")
    return f"{SESSIONS}/{session_id}"


def _sessions(body: Json) -> tuple[Session, ...]:
    return tuple(read_session(one) for one in body.values())


def _summaries(body: Json) -> tuple[Summary, ...]:
    return tuple(read_summary(one) for one in body.values())


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise UnexpectedAnswer(
            f"The tracer's answer cannot be read: {type(error).__name__} {error}."
        ) from error
