"""Sessions that live only as long as somebody asks for them."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import structlog
from attrs import define, field

from ...ports.clock import Clock
from .background import Background

_log = structlog.get_logger()


@define(eq=False)
class _Lease:
    """Runs out `length_ns` after it was last renewed, but not while somebody holds it."""

    session_id: str
    length_ns: int
    renewed_ns: int
    holders: int = 0

    def left_ns(self, now_ns: int) -> int:
        return self.length_ns if self.holders else self.renewed_ns + self.length_ns - now_ns


@define(kw_only=True, eq=False)
class Leases:
    """Gives up sessions whose clients died without a word; `give_up` is told their ids."""

    clock: Clock
    give_up: Callable[[str], Awaitable[None]]
    _leases: dict[str, _Lease] = field(factory=dict)
    _background: Background = field(factory=Background)

    def begin(self, session_id: str, length_ns: int) -> None:
        """Let a session live for so long after it was last asked for; 0 is for ever."""
        if length_ns:
            lease = _Lease(session_id, length_ns, self.clock.trace_ns())
            self._leases[session_id] = lease
            self._background.leave_apart(self._watch(lease), name=f"lease of session {session_id}")

    def renew(self, session_id: str) -> None:
        """Note that somebody asked for a session."""
        if lease := self._leases.get(session_id):
            lease.renewed_ns = self.clock.trace_ns()

    @contextmanager
    def holding(self, session_id: str) -> Iterator[None]:
        """Let a session live as long as the block."""
        lease = self._leases.get(session_id)
        if lease is None:
            yield
            return
        lease.holders += 1
        try:
            yield
        finally:
            lease.holders -= 1
            lease.renewed_ns = self.clock.trace_ns()

    def end(self, session_id: str) -> None:
        """Forget a session."""
        self._leases.pop(session_id, None)

    def close(self) -> None:
        """Forget all of them, at once."""
        self._leases.clear()
        for task in self._background.tasks:
            task.cancel()

    async def _watch(self, lease: _Lease) -> None:
        while self._leases.get(lease.session_id) is lease:
            left_ns = lease.left_ns(self.clock.trace_ns())
            if left_ns <= 0:
                self.end(lease.session_id)
                _log.info("session.lease_over", session_id=lease.session_id)
                await self.give_up(lease.session_id)
                return
            await self.clock.sleep(left_ns / 1e9)
