"""What one source is told of the attachments that a watch sees."""

from bisect import bisect_left
from collections.abc import Callable
from threading import Lock

import structlog
from attrs import define, field

from ..model.attachments import Attachment

MAX_WAITING = 100_000
"""So many wait for a source that nobody drains; then the older half is dropped."""

_log = structlog.get_logger()


@define(eq=False)
class AttachmentQueue:
    """Attachments from its beginning on, for one reader. Safe for threads.

    `_told` is called with each as it comes, in whichever thread.
    """

    _closed: Callable[["AttachmentQueue"], None]
    _told: Callable[[Attachment], None]
    _waiting: list[Attachment] = field(factory=list, repr=False)
    _lock: Lock = field(factory=Lock, repr=False)

    def put(self, attachment: Attachment) -> None:
        """Add one; they may come in any order."""
        with self._lock:
            self._waiting.append(attachment)
            if len(self._waiting) > MAX_WAITING:
                del self._waiting[: MAX_WAITING // 2]
                _log.error("watch.attachments_dropped", count=MAX_WAITING // 2)
        self._told(attachment)

    def take(self, until_ns: int) -> list[Attachment]:
        """Take those from before a time, in order."""
        with self._lock:
            self._waiting.sort(key=_time)
            count = bisect_left(self._waiting, until_ns, key=_time)
            taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    def close(self) -> None:
        """Get no more."""
        self._closed(self)


def _time(attachment: Attachment) -> int:
    return attachment.time_ns
