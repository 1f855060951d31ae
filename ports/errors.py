"""Failures of the world, as the domain sees them; adapters translate foreign errors into these."""

from collections.abc import Sequence

from ..domain.model.errors import TracerError
from ..domain.model.single_span import SingleSpan


class PortError(TracerError):
    """Something outside this program did not do what was asked."""


class DiscoveryFailed(PortError):
    """Pods and containers could not be listed."""


class RuntimeUnsuitable(DiscoveryFailed):
    """A container runtime answers, but cannot tell what is needed: waiting does not help."""


class ClusterUnavailable(DiscoveryFailed):
    """The API of Kubernetes did not answer, or refused.

    `status` is that of HTTP, 0 if there was none; `retry_after_seconds` is how long it asked to be
    left alone.
    """

    def __init__(self, message: str, *, status: int = 0, retry_after_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.status, self.retry_after_seconds = status, retry_after_seconds


class NodeUnreachable(PortError):
    """A node does not answer, or not in time, or broke its answer off."""


class AccessUndecided(PortError):
    """Whoever decides who may do what cannot be asked now: so nobody may."""


class NodesFailed(PortError):
    """No node did what was asked, because of itself or of the way there."""


class NoNodes(PortError):
    """There is no node that can be asked."""


class TracingUnavailable(PortError):
    """The kernel cannot be traced from here: the text says what is missing and how to mend it."""


class EventUnavailable(PortError):
    """This kernel does not have, or does not give, an event that was asked for."""


class GuestsUnreachable(PortError):
    """No virtual machine could reach this program in a way that was asked for."""


class GuestLost(PortError):
    """The connection to a virtual machine broke."""


class ExportFailed(PortError):
    """An exporter could not take spans; they are counted as dropped.

    `left` are those single spans of what was sent that this is not about, and that are still to be
    sent: they were not tried.
    """

    left: Sequence[SingleSpan] | None = None


class ExportDelayed(ExportFailed):
    """An exporter could not take spans now: the same ones may be offered again later.

    `retry_after_seconds` is how long its destination asked for, 0 if it did not say. `left` are
    the single spans to offer again, None if all are: the others have arrived.
    """

    def __init__(self, message: str, *, retry_after_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ExportRejected(ExportFailed):
    """A destination took a batch but for `spans` spans, which it will never take.

    `events` is how many kernel events these were made of; None means that they are the last ones
    of the batch.
    """

    def __init__(self, message: str, *, spans: int = 0, events: int | None = None) -> None:
        super().__init__(message)
        self.spans, self.events = spans, events


def of_part(
    error: ExportFailed, part: Sequence[SingleSpan], untried: Sequence[SingleSpan]
) -> ExportFailed:
    """Say of a batch that was sent in parts what a part met with; the parts before have arrived.

    `untried` are the spans of those behind it.
    """
    if isinstance(error, ExportDelayed):
        told: ExportFailed = ExportDelayed(
            str(error), retry_after_seconds=error.retry_after_seconds
        )
        told.left = [*part, *untried]
        return told
    refused = error.spans if isinstance(error, ExportRejected) else len(part)
    told = ExportRejected(str(error), spans=refused)
    told.left = untried
    return told
