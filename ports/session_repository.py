"""Where sessions are kept."""

from collections.abc import Sequence
from typing import Protocol

from ..domain.model.session import TraceSession


class SessionRepository(Protocol):
    """The sessions of this node."""

    def add(self, session: TraceSession) -> None:
        """Keep a session."""

    def get(self, session_id: str) -> TraceSession:
        """Return a session; raise `UnknownSession`."""

    def list(self) -> Sequence[TraceSession]:
        """Return all sessions, oldest first."""

    def remove(self, session_id: str) -> None:
        """Forget a session; raise `UnknownSession`."""
