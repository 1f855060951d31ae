"""Selectors of labels and fields, as the Kubernetes API reads them."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from .calls import Resource
from .statuses import Refused

Json: TypeAlias = dict[str, Any]
Matches: TypeAlias = Callable[[Json], bool]

_SET = re.compile(r"^\s*([^\s,!=()]+)\s+(in|notin)\s+\(([^()]*)\)\s*$")
_EQUALITY = re.compile(r"^\s*([^\s,!=()]+)\s*(==|=|!=)\s*([^\s,!=()]*)\s*$")
_EXISTENCE = re.compile(r"^\s*(!?)\s*([^\s,!=()]+)\s*$")
_COMMAS = re.compile(r",(?![^()]*\))")


def label_selector(text: str) -> Matches:
    """Return what tells whether an object has the labels; raise `Refused`."""
    terms = [_label_term(term) for term in _COMMAS.split(text) if term.strip()]
    return lambda one: all(term(one["metadata"].get("labels") or {}) for term in terms)


def field_selector(text: str, resource: Resource) -> Matches:
    """Return what tells whether an object has the fields; raise `Refused`."""
    terms = [_field_term(term, resource) for term in text.split(",") if term.strip()]
    return lambda one: all(term(one) for term in terms)


def _label_term(term: str) -> Callable[[Mapping[str, str]], bool]:
    if found := _SET.match(term):
        key, operator, values = found.groups()
        wanted = {one.strip() for one in values.split(",")}
        if operator == "in":
            return lambda labels: labels.get(key) in wanted
        return lambda labels: labels.get(key) not in wanted
    if found := _EQUALITY.match(term):
        key, operator, value = found.groups()
        return lambda labels: (labels.get(key) == value) != (operator == "!=")
    if found := _EXISTENCE.match(term):
        absent, key = found.groups()
        return lambda labels: (key in labels) != bool(absent)
    raise Refused(400, "BadRequest", f"unable to parse requirement: {term!r}")


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
