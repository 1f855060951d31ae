"""Reviews, as the API of Kubernetes answers them: who bears a token, and what he may do.

Their form: TokenReview of `authentication.k8s.io/v1`, SubjectAccessReview of
`authorization.k8s.io/v1`. What may be done here are verbs for resources of a group of our own;
no object of these needs to exist, roles just name them.
"""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from .access import Identity

GROUP = "container-tracer.io"
SESSIONS = "tracesessions"
HOOKS = "tracehooks"
USE = "use"


@frozen(kw_only=True)
class ReviewedAccess:
    """A verb for a resource; an empty namespace is all namespaces, an empty name all names."""

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""


@frozen(kw_only=True)
class TokenReview:
    """Whether a token is good for us: `audience` is whom it must be for, empty for the API."""

    token: str = field(repr=False)
    audience: str = ""

    def body(self) -> dict[str, Any]:
        """Write it as the API takes it."""
        audiences = {"audiences": [self.audience]} if self.audience else {}
        return {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": self.token, **audiences},
        }

    def identity(self, answer: Mapping[str, Any]) -> Identity | None:
        """Read whose it is, None if it is nobody's, or not for us.

        An API that knows no audiences answers without them, and then has not looked at them.
        """
        status = _object(answer, "status")
        user = _object(status, "user")
        name = user.get("username")
        if status.get("authenticated") is not True or not isinstance(name, str) or not name:
            return None
        if self.audience and self.audience not in _texts(status.get("audiences")):
            return None
        uid, extra = user.get("uid"), _object(user, "extra")
        return Identity(
            name=name,
            uid=uid if isinstance(uid, str) else "",
            groups=_texts(user.get("groups")),
            extra={str(key): _texts(one) for key, one in extra.items()},
        )


def access_review(identity: Identity, access: ReviewedAccess) -> dict[str, Any]:
    """Write the question whether somebody may do something."""
    attributes = {
        "group": GROUP,
        "verb": access.verb,
        "resource": access.resource,
        "namespace": access.namespace,
        "name": access.name,
    }
    user = {
        "user": identity.name,
        "uid": identity.uid,
        "groups": list(identity.groups),
        "extra": {key: list(one) for key, one in identity.extra.items()},
    }
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "resourceAttributes": {key: one for key, one in attributes.items() if one},
            **{key: one for key, one in user.items() if one},
        },
    }


def is_allowed(answer: Mapping[str, Any]) -> bool:
    """Read the answer to `access_review`; whatever is not a plain yes is a no."""
    status = _object(answer, "status")
    return status.get("allowed") is True and status.get("denied") is not True


def _object(given: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = given.get(key)
    return found if isinstance(found, Mapping) else {}


def _texts(given: object) -> tuple[str, ...]:
    return tuple(one for one in given if isinstance(one, str)) if isinstance(given, list) else ()
