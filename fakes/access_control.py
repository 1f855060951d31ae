"""Somebody who decides about access as a test says."""

from collections.abc import Mapping

from attrs import define, field

from ..domain.model.access import (
    EVERYTHING,
    AccessQuestion,
    Action,
    Forbidden,
    Identity,
    Patterns,
    Rights,
    Unauthenticated,
)
from ..ports.errors import AccessUndecided


@define(kw_only=True)
class FakeAccessControl:
    """`tokens` are whose they are, by name; `hooks` and `namespaces` what each name is limited to.

    Who has no limit may do everything, but for what is `forbidden` to everybody. While it is
    `away` nothing is decided. `questions` are all that were asked.
    """

    tokens: Mapping[str, str] = field(factory=dict)
    hooks: Mapping[str, Patterns] = field(factory=dict)
    namespaces: Mapping[str, Patterns] = field(factory=dict)
    forbidden: frozenset[Action] = frozenset()
    away: bool = False
    questions: list[AccessQuestion] = field(factory=list)
    closed: bool = False

    async def identify(self, token: str) -> Identity:
        """Look the token up."""
        self._check()
        if token not in self.tokens:
            raise Unauthenticated("The fake does not know that token.")
        return Identity(name=self.tokens[token])

    async def rights(self, identity: Identity, question: AccessQuestion) -> Rights:
        """Look the limits up."""
        self._check()
        self.questions.append(question)
        if question.action in self.forbidden:
            raise Forbidden(f"Nobody may {question.action} anything.")
        return Rights(
            action=question.action,
            hooks=self.hooks.get(identity.name, EVERYTHING),
            namespaces=self.namespaces.get(identity.name, EVERYTHING),
        )

    async def close(self) -> None:
        """Note it."""
        self.closed = True

    def _check(self) -> None:
        if self.away:
            raise AccessUndecided("Whoever decides is away.")
