"""Access as a cluster decides it: tokens and rights are reviewed by its API."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from hashlib import sha256

from attrs import define, field

from ...ports.access_reviews import AccessReviews
from ...ports.clock import Clock
from ...ports.errors import AccessUndecided
from ..model.access import (
    EVERYTHING,
    AccessQuestion,
    Identity,
    Patterns,
    Rights,
    Unauthenticated,
    is_pattern,
)
from ..model.access_reviews import HOOKS, SESSIONS, USE, ReviewedAccess
from .remembered import Remembered

KEEP_YES_SECONDS = 60.0
"""How long what is known is believed: so late is a token or a right withdrawn."""

KEEP_NO_SECONDS = 10.0

MAX_QUESTIONS = 8
"""The cluster is asked so many of a kind at once; others wait."""

MAX_WAITING = 512
"""So many tokens wait at most: who sends made-up ones must not hold up memory."""

MAX_RIGHTS_WAITING = 65536
"""Rights are those of people who are known; each may be asked about many namespaces."""


@define(eq=False)
class _Turns:
    """Lets some ask at once, and others wait, up to a number."""

    most: int
    _waiting: int = 0
    _asking: asyncio.Semaphore = field(factory=lambda: asyncio.Semaphore(MAX_QUESTIONS))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, which is that of the block; raise `AccessUndecided`."""
        if self._waiting >= self.most:
            raise AccessUndecided("Too many wait to be let in at once; ask again later.")
        self._waiting += 1
        try:
            async with self._asking:
                yield
        finally:
            self._waiting -= 1


def _keep_seconds(answer: object) -> float:
    return KEEP_YES_SECONDS if answer else KEEP_NO_SECONDS


@define(kw_only=True, eq=False)
class ReviewedAccessControl:
    """An `AccessControl` that asks, and remembers for a while."""

    reviews: AccessReviews
    clock: Clock
    _identities: Remembered[bytes, Identity | None] = field(init=False)
    _allowed: Remembered[tuple[Identity, ReviewedAccess], bool] = field(init=False)
    _tokens: _Turns = field(factory=lambda: _Turns(MAX_WAITING))
    _rights: _Turns = field(factory=lambda: _Turns(MAX_RIGHTS_WAITING))

    def __attrs_post_init__(self) -> None:
        """Remember nothing yet."""
        self._identities = Remembered(clock=self.clock, keep_seconds=_keep_seconds)
        self._allowed = Remembered(clock=self.clock, keep_seconds=_keep_seconds)

    async def identify(self, token: str) -> Identity:
        """Tell whose token it is; raise `Unauthenticated` or `AccessUndecided`."""

        async def ask() -> Identity | None:
            async with self._tokens.turn():
                return await self.reviews.identity(token)

        # Tokens are not kept, only what tells them apart.
        digest = sha256(token.encode("utf-8", "surrogateescape")).digest()
        identity = await self._identities.get(digest, ask)
        if identity is None:
            raise Unauthenticated("Kubernetes does not know the bearer token, or not any more.")
        return identity

    async def rights(self, identity: Identity, question: AccessQuestion) -> Rights:
        """Tell what somebody may do of what is in question; raise `AccessUndecided`."""
        action = question.action

        def use(name: str) -> ReviewedAccess:
            return ReviewedAccess(verb=USE, resource=HOOKS, name=name)

        def act(namespace: str) -> ReviewedAccess:
            return ReviewedAccess(verb=action, resource=SESSIONS, namespace=namespace)

        hooks, namespaces = await asyncio.gather(
            self._allowed_names(identity, question.hooks, use),
            self._allowed_names(identity, question.namespaces, act),
        )
        return Rights(action=action, hooks=hooks, namespaces=namespaces)

    async def close(self) -> None:
        """Hang up; again is harmless."""
        await self.reviews.close()

    async def _allowed_names(
        self, identity: Identity, names: Iterable[str], access: Callable[[str], ReviewedAccess]
    ) -> Patterns:
        """Return those of names that are allowed; everything, if no name needs to be said."""
        if await self._allows(identity, access("")):
            return EVERYTHING
        asked = [one for one in names if one and not is_pattern(one)]
        answers = await asyncio.gather(*(self._allows(identity, access(one)) for one in asked))
        return tuple(one for one, allowed in zip(asked, answers, strict=True) if allowed)

    async def _allows(self, identity: Identity, access: ReviewedAccess) -> bool:
        async def ask() -> bool:
            async with self._rights.turn():
                return await self.reviews.allows(identity, access)

        return await self._allowed.get((identity, access), ask)
