"""The objects of a cluster, and the history of their changes."""

import asyncio
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, TypeAlias

from attrs import define, field, frozen

from .calls import NAMESPACES, RESOURCES, Resource
from .selectors import Json, Matches
from .statuses import Refused, expired

Key: TypeAlias = tuple[str, str]
"""Namespace and name."""


@frozen(kw_only=True)
class Change:
    """What became of an object at a version; None is before it was, or after it was deleted."""

    version: int
    resource: Resource
    before: Json | None
    after: Json | None

    def seen_by(self, matches: Matches) -> tuple[str, Json] | None:
        """Return what it is to a watch that selects: an event's type and object, or nothing."""
        was = self.before is not None and matches(self.before)
        if self.after is not None and matches(self.after):
            return ("MODIFIED" if was else "ADDED"), self.after
        if not was or self.before is None:
            return None
        last = deepcopy(self.after or self.before)
        last["metadata"]["resourceVersion"] = str(self.version)
        return "DELETED", last


@define(eq=False)
class Objects:
    """All objects by resource; `changed` is notified of every change. `oldest` is remembered."""

    version: int = 100
    oldest: int = 100
    history: list[Change] = field(factory=list)
    changed: asyncio.Condition = field(factory=asyncio.Condition)
    _kept: dict[str, dict[Key, Json]] = field(factory=lambda: {one.plural: {} for one in RESOURCES})

    def of(self, resource: Resource) -> dict[Key, Json]:
        """Return the objects of a resource by namespace and name."""
        return self._kept[resource.plural]

    def find(self, resource: Resource, namespace: str, name: str) -> Json:
        """Return one object; raise `Refused` if there is none."""
        found = self.of(resource).get((namespace, name))
        if found is None:
            raise Refused(404, "NotFound", f'{resource.plural} "{name}" not found')
        return found

    async def put(self, *manifests: Mapping[str, Any]) -> None:
        """Add objects, or change those with the same kind, namespace and name."""
        for manifest in manifests:
            resource = _resource_of(manifest)
            new = deepcopy(dict(manifest))
            new.setdefault("apiVersion", resource.api_version)
            metadata = new.setdefault("metadata", {})
            if resource.namespaced:
                metadata.setdefault("namespace", "default")
            key = metadata.get("namespace", ""), metadata["name"]
            before = self.of(resource).get(key)
            self.version += 1
            metadata["resourceVersion"] = str(self.version)
            metadata.setdefault(
                "uid", (before or new)["metadata"].get("uid", f"uid-{self.version}")
            )
            self.of(resource)[key] = new
            self._remember(resource, before, new)
        await self._tell()

    async def delete(self, resource: Resource, name: str, *, namespace: str = "default") -> Json:
        """Remove an object, a namespace with all that is in it; raise `Refused`."""
        inside = "" if not resource.namespaced else namespace
        gone = self.find(resource, inside, name)
        if resource is NAMESPACES:
            for other in RESOURCES:
                for key in [key for key in self.of(other) if key[0] == name]:
                    self._drop(other, key)
        self._drop(resource, (inside, name))
        await self._tell()
        return gone

    def forget(self) -> None:
        """Lose the history: whoever is behind is told 410."""
        self.oldest = self.version
        self.history.clear()

    def since(self, version: int) -> list[Change]:
        """Return what changed after a version; raise `Refused` if that is forgotten."""
        if version < self.oldest:
            raise expired(version, self.oldest)
        return [one for one in self.history if one.version > version]

    def _drop(self, resource: Resource, key: Key) -> None:
        before = self.of(resource).pop(key)
        self.version += 1
        self._remember(resource, before, None)

    def _remember(self, resource: Resource, before: Json | None, after: Json | None) -> None:
        self.history.append(
            Change(version=self.version, resource=resource, before=before, after=after)
        )

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()


def _resource_of(manifest: Mapping[str, Any]) -> Resource:
    return next(one for one in RESOURCES if one.kind == manifest["kind"])
