import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from container_tracer.domain.model.collector_services import CollectorService, CollectorServices
from container_tracer.domain.services.backoff import Backoff
from container_tracer.domain.services.found_collector import FoundCollector
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.collector_directory import FakeCollectorDirectory
from container_tracer.ports.errors import ClusterUnavailable, DiscoveryFailed, ExportDelayed

HERE = CollectorService(namespace="home", host="10.0.0.1")
THERE = CollectorService(namespace="a", host="10.0.0.2")
NONE = CollectorServices(home="home")
AWAY = DiscoveryFailed("The API is away.")


def services(*found: CollectorService) -> CollectorServices:
    return CollectorServices(services=found, home="home")


@pytest.fixture
def directory() -> FakeCollectorDirectory:
    return FakeCollectorDirectory(known=services(THERE, HERE))


@pytest.fixture
def collector(directory: FakeCollectorDirectory) -> FoundCollector:
    return FoundCollector(directory=directory, clock=FakeClock())


@asynccontextmanager
async def followed(collector: FoundCollector) -> AsyncIterator[None]:
    task = asyncio.create_task(collector.follow(Backoff()))
    await turns()
    yield
    task.cancel()


async def turns() -> None:
    """Let those who were told of a change take it in."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_own_namespace_is_preferred_and_the_log_says_which(
    collector: FoundCollector,
) -> None:
    with capture_logs() as logs:
        async with followed(collector):
            assert collector.url() == "http://10.0.0.1:14268/api/traces"
    (found,) = logs
    assert (found["event"], found["namespace"], found["also_in"]) == ("jaeger.found", "home", ["a"])


async def test_a_collector_that_moves_is_followed(
    collector: FoundCollector, directory: FakeCollectorDirectory
) -> None:
    async with followed(collector):
        directory.change(services(THERE))
        await turns()
        assert collector.url() == "http://10.0.0.2:14268/api/traces"


async def test_without_one_spans_wait_and_a_warning_says_so(
    collector: FoundCollector, directory: FakeCollectorDirectory
) -> None:
    async with followed(collector):
        with capture_logs() as logs:
            directory.change(NONE)
            await turns()
        with pytest.raises(ExportDelayed, match="no namespace has a service jaeger-collector"):
            collector.url()
    assert [(one["event"], one["log_level"]) for one in logs] == [("jaeger.absent", "warning")]


async def test_before_it_is_known_spans_wait(
    collector: FoundCollector, directory: FakeCollectorDirectory
) -> None:
    with pytest.raises(ExportDelayed, match="are not known yet"):
        collector.url()
    directory.failure = AWAY
    await collector.follow(Backoff())
    with pytest.raises(ExportDelayed, match=r"is being looked for: The API is away$"):
        collector.url()


async def test_while_the_cluster_cannot_be_asked_the_collector_stays_that_was_known(
    collector: FoundCollector, directory: FakeCollectorDirectory
) -> None:
    following = asyncio.create_task(collector.follow(Backoff()))
    await turns()
    with capture_logs() as logs:
        directory.change(failure=AWAY)
        await following
        assert collector.url() == "http://10.0.0.1:14268/api/traces"
        directory.failure = None
        async with followed(collector):
            assert (collector.url(), collector.failure) == ("http://10.0.0.1:14268/api/traces", "")
    assert [(one["event"], one["log_level"]) for one in logs] == [
        ("jaeger.search_failed", "warning"),
        ("jaeger.search_recovered", "info"),
    ]


@pytest.mark.parametrize(
    ("failure", "pauses"),
    [
        (AWAY, [0.5, 1, 2, 4, 8, 16, 30, 30]),
        (ClusterUnavailable("Slow down.", status=429, retry_after_seconds=20), [20] * 6 + [30]),
    ],
)
async def test_it_is_tried_again_with_growing_pauses(
    collector: FoundCollector,
    directory: FakeCollectorDirectory,
    failure: DiscoveryFailed,
    pauses: list[float],
) -> None:
    directory.failure = failure
    backoff = Backoff(draw=lambda: 1.0)
    assert [await collector.follow(backoff) for _ in pauses] == pauses


async def test_a_fault_of_ours_does_not_end_the_search(
    collector: FoundCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeCollectorDirectory, "changes", lambda _: 1 // 0)
    with capture_logs() as logs:
        await collector.follow(Backoff())
    assert [one["log_level"] for one in logs] == ["error"]
    monkeypatch.undo()
    async with followed(collector):
        assert collector.url() == "http://10.0.0.1:14268/api/traces"
