"""What the one who asks may do here, and what becomes of his request."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from attrs import evolve, frozen

from ...ports.access_control import AccessControl
from ..model.access import (
    AccessQuestion,
    Action,
    Forbidden,
    Identity,
    Rights,
    allows_all,
    namespaces_in_question,
    namespaces_of_session,
)
from ..model.pod import Pod
from ..model.selector import ContainerSelector, NoMatchingContainer
from ..model.session_request import SessionRequest


class Session(Protocol):
    """What must be known of a session to tell who may see it."""

    session_id: str
    request: SessionRequest


S = TypeVar("S", bound=Session)


@frozen(kw_only=True)
class Permissions:
    """Those of one who asks; every method also raises what `AccessControl.rights` does."""

    access: AccessControl
    identity: Identity

    async def of_hooks(self, names: Iterable[str]) -> Rights:
        """Tell which of the hooks he may use."""
        return await self._rights(Action.GET, hooks=names)

    async def look_at(self, selector: ContainerSelector, pods: Iterable[Pod]) -> ContainerSelector:
        """Keep a selection to the pods he may see; raise `Forbidden`."""
        asked = namespaces_in_question(selector, {one.namespace for one in pods})
        return (await self._rights(Action.GET, namespaces=asked)).narrow(selector)

    async def narrow(self, request: SessionRequest, pods: Iterable[Pod]) -> SessionRequest:
        """Keep a session to what he may trace; raise `Forbidden`.

        Raises `NoMatchingContainer` if of the namespaces here that are meant he may trace none.
        """
        known = {one.namespace for one in pods}
        rights = await self._to_create(request, namespaces_in_question(request.selector, known))
        rights.check_namespace(request.selector)
        if not rights.namespaces:
            raise NoMatchingContainer(
                f"No namespace that {request.selector} means, and that has pods here, is one you"
                " may trace; to wait for pods, name a namespace."
            )
        return evolve(request, selector=rights.narrow(request.selector))

    async def check_early(self, request: SessionRequest) -> None:
        """Raise `Forbidden` for what every node would forbid, whatever runs there."""
        rights = await self._to_create(request, namespaces_in_question(request.selector, ()))
        rights.check_namespace(request.selector)

    async def _to_create(self, request: SessionRequest, namespaces: Iterable[str]) -> Rights:
        rights = await self._rights(Action.CREATE, hooks=[request.hook], namespaces=namespaces)
        rights.check_hook(request.hook)
        return rights

    async def over(self, action: Action, sessions: Iterable[S]) -> list[S]:
        """Return those of sessions on which he may act; others he may not see either.

        Raises `Forbidden` if there is one that he may see, but not act on.
        """
        sessions = list(sessions)
        rights = await self._over_sessions(action, sessions)
        allowed = [one for one in sessions if _covers(rights, one)]
        others = [one for one in sessions if not _covers(rights, one)]
        if others and action is not Action.GET:
            await self._check_unseen(action, others)
        return allowed

    async def _check_unseen(self, action: Action, sessions: Sequence[Session]) -> None:
        try:
            rights = await self._over_sessions(Action.GET, sessions)
        except Forbidden:
            return
        for one in sessions:
            if _covers(rights, one):
                raise Forbidden(f"You may not {action} trace session {one.session_id}.")

    async def check(self, action: Action) -> None:
        """Raise `Forbidden` if the action is allowed to him nowhere, as far as that is known."""
        await self._rights(action)

    async def check_everything(self, action: Action) -> None:
        """Raise `Forbidden` unless the action is allowed to him with every hook, everywhere."""
        rights = await self._rights(action)
        if not (allows_all(rights.hooks) and allows_all(rights.namespaces)):
            raise Forbidden(
                "This shows what others did: who sees it must be allowed to"
                f" {action} trace sessions with every hook, in every namespace."
            )

    async def _over_sessions(self, action: Action, sessions: Sequence[Session]) -> Rights:
        named = (namespaces_of_session(one.request.selector) for one in sessions)
        return await self._rights(
            action,
            hooks={one.request.hook for one in sessions},
            namespaces=frozenset().union(*named),
        )

    async def _rights(
        self, action: Action, *, hooks: Iterable[str] = (), namespaces: Iterable[str] = ()
    ) -> Rights:
        question = AccessQuestion(
            action=action, hooks=frozenset(hooks), namespaces=frozenset(namespaces)
        )
        return await self.access.rights(self.identity, question)


def _covers(rights: Rights, session: Session) -> bool:
    return rights.cover(session.request.hook, session.request.selector)
