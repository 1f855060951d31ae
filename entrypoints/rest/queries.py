"""Queries of URLs: parameters become values, or a sentence about why not."""

from collections.abc import Mapping, Sequence

from attrs import frozen

from ...domain.model.selector import ContainerSelector
from ...domain.model.session_request import InvalidRequest
from .schema import MAX_LABELS_CHARACTERS, MAX_NAME_CHARACTERS

_POD_LIMITS: Mapping[str, int] = {
    "pod": MAX_NAME_CHARACTERS,
    "container": MAX_NAME_CHARACTERS,
    "namespace": MAX_NAME_CHARACTERS,
    "labels": MAX_LABELS_CHARACTERS,
}


@frozen(kw_only=True)
class PodsQuery:
    """What `GET /v1/pods` is asked for: what a session of that selection would be."""

    selector: ContainerSelector
    vmm: bool = False


def parse_pods_query(given: Mapping[str, Sequence[str]]) -> PodsQuery:
    """Read the query of `GET /v1/pods`; raise `RequestError` with what is wrong."""
    known = (*_POD_LIMITS, "vmm")
    for name in given:
        if name not in known:
            raise InvalidRequest(
                f"Query parameter {name[:80]!r} is unknown; known are: {', '.join(known)}."
            )
    texts = {name: _text(name, given.get(name, ()), limit) for name, limit in _POD_LIMITS.items()}
    return PodsQuery(
        selector=ContainerSelector(
            texts["pod"], texts["container"], texts["namespace"], texts["labels"]
        ),
        vmm=parse_switch("vmm", given.get("vmm", ())),
    )


def parse_switch(name: str, given: Sequence[str]) -> bool:
    """Read the values of a parameter that is `true` or `false`, and false if not given."""
    if not given:
        return False
    if len(given) > 1 or given[0] not in ("true", "false"):
        raise InvalidRequest(f"Query parameter {name!r} must be true or false, once.")
    return given[0] == "true"


def _text(name: str, given: Sequence[str], limit: int) -> str:
    if len(given) > 1:
        raise InvalidRequest(f"Query parameter {name!r} is given more than once.")
    text = given[0] if given else ""
    if len(text) > limit:
        raise InvalidRequest(
            f"Query parameter {name!r} has {len(text)} characters; at most {limit} are allowed."
        )
    return text
