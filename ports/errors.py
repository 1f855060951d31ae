"""Failures of the world, as the domain sees them; adapters translate foreign errors into these."""

from ..domain.model.errors import TracerError


class PortError(TracerError):
    """Something outside this program did not do what was asked."""


class DiscoveryFailed(PortError):
    """Pods and containers could not be listed."""


class TracingUnavailable(PortError):
    """The kernel cannot be traced from here: the text says what is missing and how to mend it."""


class EventUnavailable(PortError):
    """This kernel does not have, or does not give, an event that was asked for."""


class ExportFailed(PortError):
    """An exporter could not take spans; they are counted as dropped."""
