"""A cluster that knows tokens and grants, and says so at once."""

import asyncio
from collections.abc import Mapping

from attrs import define, field

from ..domain.model.access import Identity
from ..domain.model.access_reviews import ReviewedAccess
from ..ports.errors import AccessUndecided


@define(kw_only=True)
class FakeAccessReviews:
    """`tokens` are whose they are, `grants` what each name may do; `asked` is all that was asked.

    A grant in no namespace, or of no name, is one of all. While it is `away` nothing is answered.
    """

    tokens: Mapping[str, Identity] = field(factory=dict)
    grants: Mapping[str, list[ReviewedAccess]] = field(factory=dict)
    away: bool = False
    asked: list[str | ReviewedAccess] = field(factory=list)
    closed: bool = False

    async def identity(self, token: str) -> Identity | None:
        """Look the token up."""
        await self._answer(token)
        return self.tokens.get(token)

    async def allows(self, identity: Identity, access: ReviewedAccess) -> bool:
        """Look the grants up."""
        await self._answer(access)
        return any(_grants(one, access) for one in self.grants.get(identity.name, ()))

    async def _answer(self, asked: str | ReviewedAccess) -> None:
        self.asked.append(asked)
        await asyncio.sleep(0)
        if self.away:
            raise AccessUndecided("The cluster is away.")

    async def close(self) -> None:
        """Note it."""
        self.closed = True


def _grants(grant: ReviewedAccess, access: ReviewedAccess) -> bool:
    return (
        (grant.verb, grant.resource) == (access.verb, access.resource)
        and grant.namespace in ("", access.namespace)
        and grant.name in ("", access.name)
    )
