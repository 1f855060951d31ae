"""Who asks, and what he may do."""

from typing import Protocol

from ..domain.model.access import AccessQuestion, Identity, Rights


class AccessControl(Protocol):
    """Knows people by what they show, and their rights.

    Both questions raise `AccessUndecided` where that cannot be found out now: nobody may then take
    it for allowed.
    """

    async def identify(self, token: str) -> Identity:
        """Tell whose token it is, empty if none was shown; raise `Unauthenticated`."""

    async def rights(self, identity: Identity, question: AccessQuestion) -> Rights:
        """Tell what somebody may do of what is in question.

        Raises `Unauthenticated` if he is known no more, and `Forbidden` if the action is allowed
        to him nowhere.
        """

    async def close(self) -> None:
        """Hang up; again is harmless."""
