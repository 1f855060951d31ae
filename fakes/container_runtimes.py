"""Container runtimes that a test says are there."""

from attrs import define, field

from .pod_discovery import FakePodDiscovery


@define(kw_only=True)
class FakeContainerRuntime(FakePodDiscovery):
    """A runtime; `version` is what it calls itself, `closed` how often it was hung up on."""

    version: str = "fake 1.0"
    name: str = "cri"
    closed: int = field(default=0, init=False)

    async def verify(self) -> str:
        """Return `version`, or raise `failure`."""
        if self.failure:
            raise self.failure
        return self.version

    async def close(self) -> None:
        """Count."""
        self.closed += 1


@define(kw_only=True)
class FakeContainerRuntimes:
    """Has what was put into `there`, by endpoint, the likeliest first.

    `searches` counts how often somebody looked.
    """

    there: dict[str, FakeContainerRuntime] = field(factory=dict)
    searches: int = field(default=0, init=False)

    async def endpoints(self) -> tuple[str, ...]:
        """List the endpoints."""
        self.searches += 1
        return tuple(self.there)

    def open(self, endpoint: str) -> FakeContainerRuntime:
        """Return the runtime put there."""
        return self.there[endpoint]
