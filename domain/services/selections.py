"""Running sessions follow their selection: what begins and matches joins, what ends is closed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import structlog
from attrs import define, field

from ...ports.clock import Clock
from ...ports.errors import DiscoveryFailed
from ..model.errors import TracerError
from ..model.inventory import InventoryChange, containers_of
from ..model.isolation import Admitted, Refusal, admit, admit_some
from ..model.pod import Container, ContainerKey, Pod
from ..model.selector import NoMatchingContainer
from ..model.session import TraceSession
from ..model.session_request import SessionRequest
from .background import Background
from .inventory import PodInventory
from .live import LiveSpans
from .sources import TraceSources

LOOK_SECONDS = 1.0
"""How often the runtime is asked of containers that it has, but that have no task."""

NAMED = 5
"""A reason names so many containers."""

_log = structlog.get_logger()


@define(kw_only=True, eq=False)
class Followed:
    """A session that runs; `end` is called with the reason when it should stop by itself.

    `leaving` are those of its containers that ended and have not been closed yet; `ending` says
    that it is being made sure that it is over. `lock` is held while containers join it or are
    closed. Nobody may wait for events while he holds it: these wait until everybody has been told
    what began.
    """

    session: TraceSession
    end: Callable[[str], None]
    joined: bool = False
    leaving: dict[ContainerKey, Container] = field(factory=dict)
    ending: bool = False
    lock: asyncio.Lock = field(factory=asyncio.Lock)

    def matching(self, containers: Iterable[Container]) -> Admitted:
        """Part those of containers that the session means."""
        request = self.session.request
        return admit(filter(request.selector.matches, containers), vmm=request.vmm)

    def new(self, containers: Iterable[Container]) -> list[Container]:
        """Return those of containers that the session has not, or not any more."""
        known = {one.key for one in self.session.containers} - self.leaving.keys()
        return [one for one in containers if one.key not in known]


@define(kw_only=True, eq=False)
class Selections:
    """Knows which running session means which containers; lives as long as the node."""

    inventory: PodInventory
    trace_sources: TraceSources
    live: LiveSpans
    clock: Clock
    _followed: dict[str, Followed] = field(factory=dict)
    _pods: tuple[Pod, ...] = ()
    _looking: bool = False
    _unsubscribe: Callable[[], None] = field(init=False)
    _background: Background = field(factory=Background)

    def __attrs_post_init__(self) -> None:
        """Be told of every change."""
        self._unsubscribe = self.inventory.subscribe(self.told)

    async def close(self) -> None:
        """Be told no more, and finish what was begun."""
        self._unsubscribe()
        await self._background.finish()

    async def choose(self, request: SessionRequest) -> Admitted:
        """Return the containers a session begins with.

        Raises `DiscoveryFailed`; and unless it may wait for pods, `NoMatchingContainer` and
        `IsolatedContainer`.
        """
        try:
            chosen = await self.inventory.select(request.selector)
        except NoMatchingContainer:
            if not request.wait_for_pods:
                raise
            chosen = ()
        part = admit if request.wait_for_pods else admit_some
        return part(chosen, vmm=request.vmm)

    @asynccontextmanager
    async def following(
        self, session: TraceSession, *, end: Callable[[str], None]
    ) -> AsyncIterator[None]:
        """Join a source in the block: from then on the session follows its selection.

        What begins meanwhile joins as soon as the session has joined its source.
        """
        one = Followed(session=session, end=end)
        self._followed[session.session_id] = one
        try:
            yield
        except BaseException:
            self.forget(session.session_id)
            raise
        one.joined = True
        here = containers_of(self._pods)
        await self._take_on(one, here.values())
        self._let_go_soon(one, [it for it in session.containers if it.key not in here])

    def forget(self, session_id: str) -> None:
        """Let a session follow nothing any more."""
        self._followed.pop(session_id, None)

    def emptied(self, session_id: str) -> None:
        """Note that no task of a session lives: see whether its containers are gone."""
        one = self._followed.get(session_id)
        if one is None:
            return
        if not one.session.containers:
            self._end_if_over(one)
        elif not self._looking:
            self._looking = True
            self._background.leave_apart(self._look(), name="look for containers without tasks")

    async def told(self, change: InventoryChange) -> None:
        """Let what begun join, and close what ended; never raises.

        It returns when everything that began is traced by every session that means it.
        """
        self._pods = change.pods
        followed = [one for one in self._followed.values() if one.joined]
        if change.begun:
            await asyncio.gather(*(self._take_on(one, change.begun) for one in followed))
        for one in followed:
            self._let_go_soon(one, one.session.own(change.ended))
            self._end_if_over(one)

    async def _take_on(self, one: Followed, begun: Iterable[Container]) -> None:
        admitted = one.matching(begun)
        if admitted.taken or admitted.refused:
            async with one.lock:
                await self._trace(one, admitted)

    async def _trace(self, one: Followed, admitted: Admitted) -> None:
        """Have a session trace containers it means, but for those that it has already."""
        session, new = one.session, one.new(admitted.taken)
        session.refuse(admitted.refused)
        if not new or self._followed.get(session.session_id) is not one:
            return
        for container in new:
            one.leaving.pop(container.key, None)
        try:
            if not await self.trace_sources.take_on(session.session_id, new):
                return  # it has not joined yet, and looks for itself when it has
        except Exception as error:  # noqa: BLE001 - others are waited for, and must not suffer
            known = isinstance(error, TracerError)
            _log.error("session.not_joined", error=str(error), exc_info=None if known else error)
            session.refuse(Refusal(container=each, reason=str(error)) for each in new)
            return
        session.take_on(new)
        self._tell(session, new, joined=True)

    def _let_go_soon(self, one: Followed, ended: Sequence[Container]) -> None:
        idle = not one.leaving
        one.leaving |= {container.key: container for container in ended}
        if idle and ended:
            name = f"close containers of session {one.session.session_id}"
            self._background.leave_apart(self._let_go(one), name=name)

    async def _let_go(self, one: Followed) -> None:
        """Close containers of a session: their open calls end, their numbers stay."""
        session = one.session
        while ended := tuple(one.leaving):  # of what ends meanwhile not all is read
            with _noting("session.not_closed"):
                await self.trace_sources.catch_up(session.session_id)
            async with one.lock:
                gone = [one.leaving.pop(key) for key in ended if key in one.leaving]
                if gone and self._followed.get(session.session_id) is one:
                    with _noting("session.not_closed"):
                        await self.trace_sources.let_go(session.session_id, gone)
                    session.let_go(gone)
                    self._tell(session, gone, joined=False)
        self._end_if_over(one)

    def _tell(
        self, session: TraceSession, containers: Sequence[Container], *, joined: bool
    ) -> None:
        for container in containers:
            self.live.tell(session, container, joined=joined)
        event = "session.containers_joined" if joined else "session.containers_ended"
        _log.debug(event, session_id=session.session_id, containers=len(containers))

    def _end_if_over(self, one: Followed) -> None:
        """End a session that has no container, and for which no pod that is here has one."""
        if self._is_over(one) and not one.ending:
            one.ending = True
            name = f"look before session {one.session.session_id} ends"
            self._background.leave_apart(self._end_when_sure(one), name=name)

    def _is_over(self, one: Followed) -> bool:
        request = one.session.request
        if one.session.containers or request.wait_for_pods:
            return False
        return not any(map(request.selector.could_match_pod, self._pods))

    async def _end_when_sure(self, one: Followed) -> None:
        """End a session if it is over after a look: a new pod is known later than its container."""
        try:
            while self._followed.get(one.session.session_id) is one and self._is_over(one):
                if await self._looked() and self._is_over(one):
                    one.end(f"its containers are gone: {_names(one.session)}")
                    return
        finally:
            one.ending = False

    async def _looked(self) -> bool:
        """Look what is here; return whether that was possible, else wait a little."""
        try:
            await self.inventory.refresh()
            self._pods = await self.inventory.pods()
        except DiscoveryFailed as error:
            _log.warning("discovery.failed", error=str(error))
            await self.clock.sleep(LOOK_SECONDS)
            return False
        return True

    async def _look(self) -> None:
        """Ask the runtime, and not again for a while."""
        try:
            if await self._looked():
                await self.clock.sleep(LOOK_SECONDS)
        finally:
            self._looking = False


@contextmanager
def _noting(event: str) -> Iterator[None]:
    """Log what fails in the block: the containers are gone all the same."""
    try:
        yield
    except Exception as error:  # noqa: BLE001
        _log.exception(event, error=str(error))


def _names(session: TraceSession) -> str:
    names = [f"{one.pod}/{one.name}" for one in session.ended[-NAMED:]]
    more = session.ended_count - len(names)
    return ", ".join(names) + (f" and {more} before them" if more else "")
