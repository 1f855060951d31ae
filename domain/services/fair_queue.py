"""Spans that wait, of many senders: each has his turn, and who sends most is dropped first."""

from collections import deque
from collections.abc import Iterable, Sequence

from attrs import define, field, frozen

from ..model.single_span import SingleSpan


@frozen
class WaitingSpan:
    """A span, its size by estimate in bytes, and who sent it."""

    span: SingleSpan
    size: int
    sender: str = ""


@define
class _Line:
    """What one sender has waiting."""

    spans: deque[WaitingSpan] = field(factory=deque)
    size: int = 0


@define(eq=False)
class FairQueue:
    """A queue per sender; spans of one sender stay in order, and senders are served in turn.

    What was taken still counts until it is settled.
    """

    size: int = 0
    count: int = 0
    _lines: dict[str, _Line] = field(factory=dict)
    _taken: list[WaitingSpan] = field(factory=list)
    _again: list[WaitingSpan] = field(factory=list)
    """What was taken and has to be taken again, before all others."""

    def __len__(self) -> int:
        """Count what waits or was taken."""
        return self.count

    def add(self, one: WaitingSpan) -> None:
        """Let a span wait behind the others of its sender."""
        line = self._lines.setdefault(one.sender, _Line())
        line.spans.append(one)
        line.size += one.size
        self.count += 1
        self.size += one.size

    def shrink(self, *, count: int, size: int) -> int:
        """Drop what came last of those who have most, until no more is there; say how many."""
        dropped = 0
        while self._lines and (self.count > count or self.size > size):
            too_many = self.count > count
            sender = max(self._lines, key=lambda one: _length(self._lines[one], too_many))
            self._remove(sender, self._lines[sender].spans.pop())
            dropped += 1
        return dropped

    def take(self, count: int) -> Sequence[WaitingSpan]:
        """Return up to so many spans, which have to be settled before others are taken."""
        self._taken, self._again = self._again[:count], self._again[count:]
        while self._lines and len(self._taken) < count:
            for sender in list(self._lines)[: count - len(self._taken)]:
                line = self._lines.pop(sender)
                one = line.spans.popleft()
                line.size -= one.size
                if line.spans:
                    self._lines[sender] = line  # behind the others now
                self._taken.append(one)
        return self._taken

    def settle(self, left: Iterable[WaitingSpan]) -> None:
        """Forget what was taken, but for what is left of it: that is taken again next."""
        left = list(left)
        self.count += len(left) - len(self._taken)
        self.size += sum(one.size for one in left) - sum(one.size for one in self._taken)
        self._again = left + self._again
        self._taken = []

    def clear(self) -> None:
        """Forget everything."""
        self.count = self.size = 0
        self._lines, self._taken, self._again = {}, [], []

    def _remove(self, sender: str, one: WaitingSpan) -> None:
        line = self._lines[sender]
        line.size -= one.size
        if not line.spans:
            del self._lines[sender]
        self.count -= 1
        self.size -= one.size


def _length(line: _Line, too_many: bool) -> int:
    return len(line.spans) if too_many else line.size
