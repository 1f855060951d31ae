"""Reviews by the API of Kubernetes."""

from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, field

from ...domain.model.access import Identity
from ...domain.model.access_reviews import ReviewedAccess, TokenReview, access_review, is_allowed
from ...ports.errors import AccessUndecided, ClusterUnavailable
from .connecting import ConnectionOnDemand
from .connection import Json
from .settings import KubernetesSettings

_TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"  # noqa: S105 - a path
_ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


@define(kw_only=True, eq=False)
class KubernetesAccessReviews:
    """Connects when it is first asked; tokens must be for `audience`, or else for the API."""

    settings: KubernetesSettings
    audience: str = ""
    _connection: ConnectionOnDemand = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Begin without a connection."""
        self._connection = ConnectionOnDemand(self.settings)

    async def identity(self, token: str) -> Identity | None:
        """Tell whose token it is; None if it is nobody's, has expired, or is not for us."""
        review = TokenReview(token=token, audience=self.audience)
        with _undecided():
            return review.identity(await self._post(_TOKEN_REVIEWS, review.body()))

    async def allows(self, identity: Identity, access: ReviewedAccess) -> bool:
        """Tell whether somebody may do something."""
        body = access_review(identity, access)
        with _undecided():
            return is_allowed(await self._post(_ACCESS_REVIEWS, body))

    async def close(self) -> None:
        """Hang up; again is harmless."""
        await self._connection.close()

    async def _post(self, path: str, body: Json) -> Json:
        connection = await self._connection.get()
        return await connection.post(path, body)


@contextmanager
def _undecided() -> Iterator[None]:
    try:
        yield
    except ClusterUnavailable as error:
        raise AccessUndecided(f"Nobody can be let in now. {error}") from error
