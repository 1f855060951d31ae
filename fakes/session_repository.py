"""Sessions in a list anybody may look at."""

from collections.abc import Sequence

from attrs import define, field

from ..domain.model.session import TraceSession
from ..domain.model.session_request import no_such_session


@define
class FakeSessionRepository:
    """Keeps sessions in `sessions`, oldest first."""

    sessions: list[TraceSession] = field(factory=list)

    def add(self, session: TraceSession) -> None:
        """Keep a session."""
        self.sessions.append(session)

    def get(self, session_id: str) -> TraceSession:
        """Return a session; raise `UnknownSession`."""
        for session in self.sessions:
            if session.session_id == session_id:
                return session
        raise no_such_session(session_id)

    def list(self) -> Sequence[TraceSession]:
        """Return all sessions, oldest first."""
        return tuple(self.sessions)

    def remove(self, session_id: str) -> None:
        """Forget a session; raise `UnknownSession`."""
        self.sessions.remove(self.get(session_id))
