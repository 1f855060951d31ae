"""Asking a cluster whose a token is, and what somebody may do in it."""

from typing import Protocol

from ..domain.model.access import Identity
from ..domain.model.access_reviews import ReviewedAccess


class AccessReviews(Protocol):
    """Asks each time anew; both questions raise `AccessUndecided` if there is no answer."""

    async def identity(self, token: str) -> Identity | None:
        """Tell whose token it is; None if it is nobody's, has expired, or is not for us."""

    async def allows(self, identity: Identity, access: ReviewedAccess) -> bool:
        """Tell whether somebody may do something."""

    async def close(self) -> None:
        """Hang up; again is harmless."""
