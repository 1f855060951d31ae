"""Objects of the Kubernetes API as a list has them, kept up by the events of a watch."""

from collections.abc import Callable, Iterable, Mapping, ValuesView
from typing import Any, Generic, Self, TypeAlias, TypeVar

from attrs import define, field

from .errors import DataError
from .kubernetes_json import number, text

T = TypeVar("T")

_Key: TypeAlias = tuple[str, str]

_GONE = 410


class WatchFailed(DataError):
    """A watch tells that it cannot go on."""


class WatchExpired(WatchFailed):
    """The version a watch goes on from is forgotten: what there is must be listed anew."""


@define(kw_only=True)
class WatchedObjects(Generic[T]):
    """What `read` makes of objects, by namespace and name; `version` is what it is up to.

    Objects that it makes nothing of are left out.
    """

    read: Callable[[object], T | None]
    version: str = ""
    _objects: dict[_Key, T] = field(factory=dict)

    def values(self) -> ValuesView[T]:
        """Return all that are there."""
        return self._objects.values()

    def anew(self) -> Self:
        """Return an empty one of the same kind, for a list."""
        return type(self)(read=self.read)

    def add(self, page: Iterable[object], version: str) -> None:
        """Add objects of a list at a version."""
        self.version = version
        for raw in page:
            if (value := self.read(raw)) is not None:
                self._objects[_key(raw)] = value
            else:
                self._objects.pop(_key(raw), None)  # once there was something in it

    def doubt(self) -> None:
        """Let the next list count, however old: a cluster may have been restored from a backup."""
        self.version = ""

    def become(self, listed: Self) -> None:
        """Be what a list has, unless a watch has told of something newer meanwhile."""
        if not _is_newer(self.version, listed.version):
            self._objects, self.version = listed._objects, listed.version

    def apply(self, event: Mapping[str, Any]) -> None:
        """Follow an event of a watch; raise `WatchFailed`.

        A watch that began earlier than a list may tell what the list knew already.
        """
        raw, kind = event.get("object"), event.get("type")
        if kind == "ERROR":
            raise _failure(raw)
        version = text(raw, "metadata", "resourceVersion")
        if not version or _is_newer(self.version, version) or version == self.version:
            return
        self.version = version
        if kind == "DELETED":
            self._objects.pop(_key(raw), None)
        elif kind in ("ADDED", "MODIFIED"):
            self.add([raw], version)


def _key(raw: object) -> _Key:
    return text(raw, "metadata", "namespace"), text(raw, "metadata", "name")


def _is_newer(one: str, other: str) -> bool:
    """Compare versions, which are numbers in every API server there is, though not by contract."""
    return one.isdecimal() and other.isdecimal() and int(one) > int(other)


def _failure(status: object) -> WatchFailed:
    words = text(status, "message") or "no reason is given"
    if number(status, "code") == _GONE:
        return WatchExpired(words)
    return WatchFailed(words)
