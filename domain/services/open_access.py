"""Access where nobody is asked who he is: everybody may do everything."""

from attrs import frozen

from ..model.access import AccessQuestion, Identity, Rights, unlimited

ANYBODY = Identity(name="")


@frozen
class OpenAccess:
    """An `AccessControl` that asks for no token and forbids nothing."""

    async def identify(self, token: str) -> Identity:  # noqa: ARG002 - whatever is shown
        """Know everybody as anybody."""
        return ANYBODY

    async def rights(self, identity: Identity, question: AccessQuestion) -> Rights:  # noqa: ARG002
        """Allow everything."""
        return unlimited(question.action)

    async def close(self) -> None:
        """Do nothing."""
