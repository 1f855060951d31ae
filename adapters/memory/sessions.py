"""Sessions kept in memory."""

from collections.abc import Sequence

from attrs import define, field

from ...domain.model.session import TraceSession
from ...domain.model.session_request import no_such_session


@define
class MemorySessionRepository:
    """Holds the sessions of this node for as long as it runs."""

    _sessions: dict[str, TraceSession] = field(factory=dict)

    def add(self, session: TraceSession) -> None:
        """Keep a session."""
        self._sessions[session.session_id] = session

    def get(self, session_id: str) -> TraceSession:
        """Return a session; raise `UnknownSession`."""
        if session_id not in self._sessions:
            raise no_such_session(session_id)
        return self._sessions[session_id]

    def list(self) -> Sequence[TraceSession]:
        """Return all sessions, oldest first."""
        return list(self._sessions.values())

    def remove(self, session_id: str) -> None:
        """Forget a session; raise `UnknownSession`."""
        self.get(session_id)
        del self._sessions[session_id]
