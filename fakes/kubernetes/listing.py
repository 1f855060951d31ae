"""Lists, whole or in pages."""

from typing import Any

from attrs import define, field

from .calls import Call, Resource
from .objects import Objects
from .selectors import Json, Matches, field_selector, label_selector
from .statuses import Refused, expired


def selecting(call: Call, resource: Resource) -> Matches:
    """Return what a list or a watch wants to see; raise `Refused`."""
    labels = label_selector(call.query.get("labelSelector", ""))
    fields = field_selector(call.query.get("fieldSelector", ""), resource)

    def matches(one: Json) -> bool:
        here = call.namespace in ("", one["metadata"].get("namespace", ""))
        return here and labels(one) and fields(one)

    return matches


@define(eq=False)
class Listing:
    """Answers lists. What does not fit a page waits, as it was, for who continues."""

    objects: Objects
    _rests: dict[str, tuple[int, list[Json]]] = field(factory=dict)

    def answer(self, call: Call, resource: Resource) -> Json:
        """Return a list, or a page of it; raise `Refused`."""
        version, items = self._items(call, resource)
        limit = int(call.query.get("limit") or 0) or len(items)
        page, rest = items[:limit], items[limit:]
        metadata: dict[str, Any] = {"resourceVersion": str(version)}
        if rest:
            token = f"page-{len(self._rests)}"
            self._rests[token] = version, rest
            metadata |= {"continue": token, "remainingItemCount": len(rest)}
        kind = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version}
        return {**kind, "metadata": metadata, "items": [_item(one) for one in page]}

    def _items(self, call: Call, resource: Resource) -> tuple[int, list[Json]]:
        if token := call.query.get("continue"):
            if token not in self._rests:
                raise Refused(400, "BadRequest", f"continue key is not valid: {token}")
            version, rest = self._rests[token]
            if version < self.objects.oldest:
                raise expired(version, self.objects.oldest)
            return version, rest
        if (asked := int(call.query.get("resourceVersion") or 0)) > self.objects.version:
            raise Refused(504, "Timeout", f"Timeout: Too large resource version: {asked}")
        matches, kept = selecting(call, resource), self.objects.of(resource)
        return self.objects.version, [kept[key] for key in sorted(kept) if matches(kept[key])]


def _item(one: Json) -> Json:
    return {key: value for key, value in one.items() if key not in ("kind", "apiVersion")}
