"""What a pipeline is told of containers beside the stream of its source."""

from collections.abc import Sequence
from typing import Protocol

from attrs import frozen

from ..model.attachments import Attachment
from .attachment_queue import AttachmentQueue
from .container_watch import ContainerWatch


class Attached(Protocol):
    """Tells which tasks were put into which containers. Called where a pipeline drains."""

    def known_until_ns(self, now_ns: int) -> int:
        """Read on; return the time before which every attachment, and its container, is known."""

    def take(self, until_ns: int) -> Sequence[Attachment]:
        """Return, once, the attachments stamped before a time, in order."""

    def close(self) -> None:
        """Take no more."""


@frozen
class NothingAttached:
    """Where nobody watches containers: nothing is known, and nothing is waited for."""

    def known_until_ns(self, now_ns: int) -> int:
        """Wait for nothing."""
        return now_ns

    def take(self, until_ns: int) -> Sequence[Attachment]:
        """Return nothing."""
        del until_ns
        return ()

    def close(self) -> None:
        """Do nothing."""


@frozen(kw_only=True, eq=False)
class WatchedAttachments:
    """What the node's watch tells one source."""

    watch: ContainerWatch
    queue: AttachmentQueue

    def known_until_ns(self, now_ns: int) -> int:
        """Have the watch read on; return until when it knows everything."""
        return self.watch.known_until_ns(now_ns)

    def take(self, until_ns: int) -> Sequence[Attachment]:
        """Take them from the queue."""
        return self.queue.take(until_ns)

    def close(self) -> None:
        """Give the queue back."""
        self.queue.close()
