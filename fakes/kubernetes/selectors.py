"""Selectors of labels and fields, as the Kubernetes API reads them."""

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from ...domain.model import labels
from ...domain.model.labels import InvalidLabels
from .calls import Resource
from .statuses import Refused

Json: TypeAlias = dict[str, Any]
Matches: TypeAlias = Callable[[Json], bool]

_EQUALITY = re.compile(r"^\s*([^\s,!=()]+)\s*(==|=|!=)\s*([^\s,!=()]*)\s*$")


def label_selector(text: str) -> Matches:
    """Return what tells whether an object has the labels; raise `Refused`."""
    try:
        selector = labels.label_selector(text)
    except InvalidLabels as error:
        raise Refused(400, "BadRequest", f"unable to parse requirement: {error}") from error
    return lambda one: selector.matches(one["metadata"].get("labels") or {})


def field_selector(text: str, resource: Resource) -> Matches:
    """Return what tells whether an object has the fields; raise `Refused`."""
    terms = [_field_term(term, resource) for term in text.split(",") if term.strip()]
    return lambda one: all(term(one) for term in terms)


def _field_term(term: str, resource: Resource) -> Matches:
    found = _EQUALITY.match(term)
    if not found:
        raise Refused(400, "BadRequest", f"invalid field selector: {term!r}")
    key, operator, value = found.groups()
    if key not in {"metadata.name", "metadata.namespace"} | resource.fields:
        raise Refused(400, "BadRequest", f"field label not supported: {key}")
    return lambda one: (_field(one, key) == value) != (operator == "!=")


def _field(value: object, path: str) -> str:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return "" if value is None else str(value)
