"""The client: what a tracer can be asked for, as methods."""

import asyncio
import ssl
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from typing import Any, Self, TypeVar

from attrs import evolve

from .connection import Connection, JsonAnswer, parse_url, to_its_end
from .dialing import Dial
from .errors import ClientError, Refused, ServerUnreachable, UnexpectedAnswer
from .events import End, Event, read_event
from .groups import Group
from .live_trace import LiveTrace, lasting, until_opened
from .node_errors import Answer, NodeError, read_node_errors
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


class TracerClient:
    """A client of one tracer, node or svc: `async with TracerClient("http://host:8080") as …`.

    Every method raises `ClientError`: `Refused` with the tracer's own words, `ServerUnreachable`,
    or `UnexpectedAnswer`. Where a svc answers and some of its nodes failed, that is no error:
    answers name these nodes, see `Answer`.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        timeout_seconds: float = 30.0,
        nodes: Sequence[str] = (),
        tls: ssl.SSLContext | None = None,
        dial: Dial | None = None,
        trace_context: Mapping[str, str] | None = None,
    ) -> None:
        """Take `http://HOST:PORT`, `https://HOST:PORT` or `unix:/PATH`; raise `InvalidUrl`.

        `nodes` are shell patterns: only these nodes of a cluster are asked. `tls` says whom to
        trust with https. With `dial` the URL only says how to speak to what it connects to.
        `trace_context` are headers that say what span all requests are below, such as
        `{"traceparent": …}`.
        """
        self._connection = Connection(
            endpoint=parse_url(url),
            token=token,
            timeout_seconds=timeout_seconds,
            nodes=tuple(nodes),
            tls=tls,
            dial=dial,
            trace_context=trace_context or {},
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
        return (await self.answer(method, path, body)).body

    async def answer(self, method: str, path: str, body: object = None) -> JsonAnswer:
        """Do the same, and also return which nodes the object lacks."""
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
    ) -> Answer[Pod]:
        """List pods and containers: all, or those a `TraceRequest` of these words would select."""
        path = pods_path(pod=pod, container=container, namespace=namespace, labels=labels, vmm=vmm)
        return await self._get(path, read_pods)

    async def hooks(self) -> Answer[Hook]:
        """List trace hooks."""
        return await self._get("/v1/trace-hooks", read_hooks)

    async def create(self, request: TraceRequest, *, run: bool = False) -> Answer[Session]:
        """Make a session: one, or one for each node that has a part in it."""
        made = await self.answer("POST", SESSIONS, request.body(run=run))
        sessions = _session_answer(made)
        if not sessions:
            raise UnexpectedAnswer("The tracer made a session, but does not say which.")
        return sessions

    async def sessions(self) -> Answer[Session]:
        """Describe all sessions, oldest first, each part of one by itself."""
        return _session_answer(await self.answer("GET", f"{SESSIONS}/{ALL}"))

    async def session(self, session_id: str) -> Session:
        """Describe one session, or its first part where it has parts on many nodes."""
        return (await self.group(session_id)).parts[0]

    async def group(self, session_id: str) -> Group:
        """Describe one session with all its parts."""
        found = _session_answer(await self.answer("GET", _path(session_id)))
        if not found:
            raise UnexpectedAnswer(f"The tracer knows session {session_id}, but says nothing.")
        return Group.of(found)

    async def start(self, session_id: str) -> tuple[NodeError, ...]:
        """Let a session trace; one that does is left alone. Return the nodes that failed."""
        return await self._tell("PUT", session_id, {"Run": True})

    async def stop(self, session_id: str) -> tuple[NodeError, ...]:
        """Let a session trace no more; return when its last spans were delivered."""
        return await self._tell("PUT", session_id, {"Run": False})

    async def delete(self, session_id: str) -> tuple[NodeError, ...]:
        """Stop and forget a session, or `all` of them."""
        return await self._tell("DELETE", session_id)

    async def summary(self, session_id: str) -> Summary:
        """Count calls and their latencies, of the run that runs or of the last one."""
        found = await self.summaries(session_id)
        if not found:
            raise UnexpectedAnswer(f"The tracer has no summary of session {session_id}.")
        return found[0]

    async def summaries(self, session_id: str = ALL, *, buckets: bool = False) -> Answer[Summary]:
        """Return the summaries of all sessions, or of all parts of one.

        With `buckets` their calls have distributions, so that they can be added up.
        """
        query = "?buckets=true" if buckets else ""
        return await self._get(f"{_path(session_id)}/summary{query}", _summaries)

    async def events(self, session_id: str) -> AsyncGenerator[Event, None]:
        """Watch a session: `Opened`, then spans from now on, `End` at last.

        Nodes that fail are `NodeError`s, those that did from the beginning come before `Opened`.
        """
        async with self._connection.lines(
            f"{_path(session_id)}/events", silence_seconds=SILENCE_SECONDS
        ) as stream:
            for one in stream.node_errors:
                yield one
            async for line in stream.lines:
                event = read_event(line)
                if event is not None:
                    yield event
                if isinstance(event, End):
                    return
        raise ServerUnreachable("The stream of events broke off; the tracer may have died.")

    @asynccontextmanager
    async def temporary(self, request: TraceRequest, *, run: bool = True) -> AsyncIterator[Group]:
        """Make a session that lives as long as the block, and is deleted whatever happens.

        If this program is killed, the tracer deletes it after `LEASE_SECONDS`, unless the request
        says otherwise.
        """
        lease = LEASE_SECONDS if request.lease is None else request.lease
        group = await self._create_surely(evolve(request, lease=lease), run=run)
        asking = asyncio.create_task(self._keep_asking(group.handle), name="renew lease")
        try:
            yield group
        finally:
            asking.cancel()
            await self.delete_surely(group.handle)

    async def _keep_asking(self, session_id: str) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            with suppress(ClientError):
                await self.session(session_id)

    @asynccontextmanager
    async def trace(self, request: TraceRequest) -> AsyncIterator[LiveTrace]:
        """Trace as long as the block: a temporary session, watched before it starts.

        So nothing is missed. It is deleted whatever happens in the block, be it an error or a
        cancellation. A stream through a svc that breaks off is taken up again.
        """
        async with (
            self.temporary(request, run=False) as group,
            aclosing(self._watch(group)) as events,
        ):
            failed = await until_opened(events)
            not_started = (*failed, *await self.start(group.handle))
            yield LiveTrace(group=group, not_started=not_started, stop=self.stop, events=events)

    def _watch(self, group: Group) -> AsyncGenerator[Event, None]:
        """Watch a session; one of a group goes on without the svc that it is watched through."""
        if group.parts[0].group:
            return lasting(lambda: self.events(group.handle))
        return self.events(group.handle)

    async def delete_surely(self, session_id: str) -> None:
        """Delete a session even while we are cancelled; one that is gone is fine."""
        deletion = asyncio.create_task(self.delete(session_id), name="delete session")
        await to_its_end(deletion)
        try:
            await deletion
        except Refused as refused:
            if refused.problem.status != NOT_FOUND:
                raise

    async def _create_surely(self, request: TraceRequest, *, run: bool) -> Group:
        creation = asyncio.create_task(self.create(request, run=run), name="create session")
        try:
            await to_its_end(creation)
        except asyncio.CancelledError:
            with suppress(ClientError):
                await self.delete_surely((await creation)[0].handle)
            raise
        return Group.of(await creation)

    async def _tell(
        self, method: str, session_id: str, body: object = None
    ) -> tuple[NodeError, ...]:
        return (await self.answer(method, _path(session_id), body)).node_errors

    async def _get(self, path: str, read: Callable[[Json], Iterable[T]]) -> Answer[T]:
        answer = await self.answer("GET", path)
        with _reading():
            return Answer(read(answer.body), node_errors=answer.node_errors)


def _path(session_id: str) -> str:
    if not session_id.isascii() or not session_id.isalnum():
        raise ValueError(f"{session_id!r} is no id of a session: ids are decimal numbers.")
    return f"{SESSIONS}/{session_id}"


def _session_answer(answer: JsonAnswer) -> Answer[Session]:
    """Read sessions; each has the whole list of nodes that failed, a header only so much of it."""
    with _reading():
        sessions = tuple(map(read_session, answer.body.values()))
        whole = next(
            (one["NodeErrors"] for one in answer.body.values() if "NodeErrors" in one), None
        )
    failed = read_node_errors(whole) if whole else answer.node_errors
    return Answer(sessions, node_errors=failed)


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
