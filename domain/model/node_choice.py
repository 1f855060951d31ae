"""Which nodes are asked: all, or those whose names were given."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from .errors import RequestError
from .nodes import Nodes


class UnknownNode(RequestError):
    """There is no such node."""


def chosen_nodes(nodes: Nodes, patterns: Sequence[str]) -> Nodes:
    """Return the nodes whose names match any of shell patterns, all where there are none.

    A pattern that nothing matches raises `UnknownNode`.
    """
    if not patterns:
        return nodes
    names = [*(one.name for one in nodes.ready), *nodes.unready]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UnknownNode(f"There is no such node: {pattern[:200]!r}; {_known(names)}.")
    return Nodes(
        ready=tuple(one for one in nodes.ready if _matches(one.name, patterns)),
        unready={name: why for name, why in nodes.unready.items() if _matches(name, patterns)},
    )


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _known(names: Sequence[str], most: int = 10) -> str:
    if not names:
        return "no node is known"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"there are: {', '.join(sorted(names)[:most])}{more}"
