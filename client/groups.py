"""Sessions of a cluster: one session, as its maker sees it, has a part on each node."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Self, TypeVar

from attrs import evolve, fields, frozen

from .node_errors import Answer, NodeError
from .values import ExporterStatistics, Session, Statistics

T = TypeVar("T", Statistics, ExporterStatistics)


@frozen(kw_only=True)
class Group:
    """A session with all its parts, never none; `handle` is the id for further requests.

    `node_errors` are nodes that could not be asked for their part.
    """

    parts: tuple[Session, ...]
    node_errors: tuple[NodeError, ...] = ()

    @classmethod
    def of(cls, answer: Answer[Session]) -> Self:
        """Take an answer that is about one session."""
        return cls(parts=tuple(answer), node_errors=answer.node_errors)

    @property
    def handle(self) -> str:
        """The id of all parts together."""
        return self.parts[0].handle

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that have a part, each once."""
        return tuple(dict.fromkeys(one.node for one in self.parts))

    @property
    def states(self) -> Mapping[str, int]:
        """How many parts are in each state, the most frequent first."""
        return dict(Counter(one.state for one in self.parts).most_common())

    @property
    def statistics(self) -> Statistics:
        """The balances of all parts, added up."""
        return add_statistics(one.statistics for one in self.parts)


def grouped(sessions: Iterable[Session]) -> tuple[Group, ...]:
    """Put parts of the same session together, in the order of their first ones."""
    parts: dict[str, list[Session]] = {}
    for one in sessions:
        parts.setdefault(one.handle, []).append(one)
    return tuple(Group(parts=tuple(some)) for some in parts.values())


def add_statistics(balances: Iterable[Statistics]) -> Statistics:
    """Add balances up, those of exporters of the same name, too."""
    several = tuple(balances)
    names = dict.fromkeys(name for one in several for name in one.exporters)
    exporters = {
        name: _sum(ExporterStatistics(), [one.exporters.get(name) for one in several])
        for name in names
    }
    return _sum(Statistics(exporters=exporters), several)


def _sum(zero: T, several: Iterable[T | None]) -> T:
    """Add up every number of values of one class; None is none."""
    values = [one for one in several if one is not None]
    numbers = [one.name for one in fields(type(zero)) if one.type is int]
    sums = {name: sum(getattr(one, name) for one in values) for name in numbers}
    return evolve(zero, **sums)
