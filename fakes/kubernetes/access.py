"""Who somebody is, and what he may do: tokens, roles and what binds them."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field, frozen

from .calls import Call
from .statuses import Refused

API_AUDIENCE = "https://kubernetes.default.svc.cluster.local"


@frozen(kw_only=True)
class User:
    """Whom a token belongs to, and for which audiences it is good."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    audiences: tuple[str, ...] = (API_AUDIENCE,)

    @property
    def all_groups(self) -> tuple[str, ...]:
        """Return its groups, with the one everybody is in."""
        return (*self.groups, "system:authenticated")


ANONYMOUS = User(name="system:anonymous", groups=("system:unauthenticated",))


@frozen(kw_only=True)
class Binding:
    """Gives a user or a group the rules of a role, in one namespace or, without one, in all."""

    subject: str
    rules: Sequence[Mapping[str, Any]]
    namespace: str = ""

    def allows(self, call: Call, user: str, groups: Sequence[str]) -> bool:
        """Tell whether a call is within it."""
        if self.subject not in (user, *groups):
            return False
        if self.namespace and self.namespace != call.namespace:
            return False
        return any(allows(rule, call) for rule in self.rules)


def allows(rule: Mapping[str, Any], call: Call) -> bool:
    """Tell whether one rule of a Role or ClusterRole allows a call."""
    if not _holds(rule, "verbs", call.verb):
        return False
    if not call.resource:
        return _holds(rule, "nonResourceURLs", call.path)
    whole = f"{call.resource}/{call.subresource}" if call.subresource else call.resource
    names = rule.get("resourceNames") or ()
    return (
        _holds(rule, "apiGroups", call.group)
        and _holds(rule, "resources", whole)
        and (not names or call.name in names)
    )


def _holds(rule: Mapping[str, Any], key: str, value: str) -> bool:
    listed = rule.get(key) or ()
    return "*" in listed or value in listed


@define(eq=False)
class Access:
    """`users` by their tokens, and `bindings`; nobody is asked for either unless told so.

    With `authenticates` a token must be one of these, with `authorizes` a binding must allow what
    is asked for; with both, who shows none is `system:anonymous`. Reviews are answered from the
    same tables.
    """

    users: dict[str, User] = field(factory=dict)
    bindings: list[Binding] = field(factory=list)
    authenticates: bool = False
    authorizes: bool = False

    def user(self, authorization: str) -> User:
        """Return who sends a header; raise `Refused`."""
        kind, _, token = authorization.partition(" ")
        known = self.users.get(token.strip()) if kind.lower() == "bearer" else None
        if known and API_AUDIENCE in known.audiences:
            return known
        if self.authenticates and (authorization or not self.authorizes):
            raise Refused(401, "Unauthorized", "Unauthorized")
        return ANONYMOUS

    def check(self, call: Call, user: User) -> None:
        """Raise `Refused` if somebody may not do what he asks for."""
        groups = ANONYMOUS.groups if user is ANONYMOUS else user.all_groups
        if not self.authorizes or self.allowed(call, user.name, groups):
            return
        raise Refused(403, "Forbidden", _forbidden(call, user.name))

    def allowed(self, call: Call, user: str, groups: Sequence[str]) -> bool:
        """Tell whether some binding allows it."""
        return any(one.allows(call, user, groups) for one in self.bindings)

    def review_token(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a TokenReview: its status."""
        if not (token := spec.get("token")):
            raise Refused(400, "BadRequest", "token is required for TokenReview in authentication")
        user = self.users.get(token)
        asked = spec.get("audiences") or [API_AUDIENCE]
        good = [one for one in asked if user and one in user.audiences]
        if user is None or not good:
            return {"user": {}, "error": "[invalid bearer token, token lookup failed]"}
        who = {"username": user.name, "uid": user.uid, "groups": list(user.all_groups)}
        return {"authenticated": True, "user": who, "audiences": good}

    def review_access(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a SubjectAccessReview: its status."""
        asked = spec.get("resourceAttributes") or spec.get("nonResourceAttributes")
        user, groups = spec.get("user", ""), spec.get("groups") or []
        if not asked or not (user or groups):
            raise Refused(422, "Invalid", "SubjectAccessReview is invalid: spec: Required value")
        known = ("verb", "group", "resource", "subresource", "namespace", "name", "path")
        call = Call(**{key: asked[key] for key in known if key in asked})
        return {"allowed": True} if self.allowed(call, user, groups) else {"allowed": False}


def _forbidden(call: Call, user: str) -> str:
    if not call.resource:
        return f'forbidden: User "{user}" cannot {call.verb} path "{call.path}"'
    whole = f"{call.resource}/{call.subresource}" if call.subresource else call.resource
    where = f'in the namespace "{call.namespace}"' if call.namespace else "at the cluster scope"
    name = f' "{call.name}"' if call.name else ""
    full = f"{call.resource}.{call.group}" if call.group else call.resource
    return (
        f'{full}{name} is forbidden: User "{user}" cannot {call.verb} resource'
        f' "{whole}" in API group "{call.group}" {where}'
    )
