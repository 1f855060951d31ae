import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

import pytest

from container_tracer.adapters.cri import events
from container_tracer.adapters.cri.discovery import CriPodDiscovery
from container_tracer.fakes.cri_server import FakeCriServer, Manners


@asynccontextmanager
async def listening(discovery: CriPodDiscovery) -> AsyncIterator[Callable[[], int]]:
    """Count the items that came; a task that ended has said why."""
    count = 0

    async def listen() -> None:
        nonlocal count
        async for _ in discovery.changes():
            count += 1

    task = asyncio.create_task(listen())
    try:
        yield lambda: count
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - another thread makes it true
            await asyncio.sleep(0.005)


@pytest.fixture
def no_echo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "ECHO_SECONDS", ())


@pytest.mark.usefixtures("no_echo")
async def test_every_event_is_told(server: FakeCriServer, discovery: CriPodDiscovery) -> None:
    async with listening(discovery) as items:
        await until(lambda: len(server.listeners) == 1)
        for _ in range(3):
            before = items()
            server.tell()
            await until(lambda before=before: items() > before)  # type: ignore[misc]


async def test_an_event_is_told_again_since_it_comes_before_the_cri_knows(
    server: FakeCriServer, discovery: CriPodDiscovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "ECHO_SECONDS", (0.01, 0.01))
    async with listening(discovery) as items:
        await until(lambda: len(server.listeners) == 1)
        await until(lambda: items() == 3)
        server.tell()
        await until(lambda: items() == 6)


@pytest.mark.usefixtures("no_echo")
async def test_it_goes_on_after_a_restart_of_the_runtime_and_says_so(
    server: FakeCriServer, discovery: CriPodDiscovery
) -> None:
    async with listening(discovery) as items:
        await until(lambda: items() == 1)
        server.stop()
        before = items()
        server.start()
        await until(lambda: items() > before and len(server.listeners) == 1)
        before = items()
        server.tell()
        await until(lambda: items() > before)


async def test_it_ends_where_the_runtime_has_no_such_service(
    server: FakeCriServer, discovery: CriPodDiscovery
) -> None:
    server.manners["Subscribe"] = Manners.UNIMPLEMENTED
    async with asyncio.timeout(20):
        async for _ in discovery.changes():
            pass
    assert server.calls["Subscribe"] == 1


async def test_who_listens_no_more_has_hung_up(
    server: FakeCriServer, discovery: CriPodDiscovery
) -> None:
    async with aclosing(discovery.changes()) as items:  # type: ignore[type-var]
        async for _ in items:
            await until(lambda: len(server.listeners) == 1)
            break
    await until(lambda: server.listeners == [])


async def test_only_what_begins_or_ends_containers_is_asked_for(
    server: FakeCriServer, discovery: CriPodDiscovery
) -> None:
    async with listening(discovery):
        await until(lambda: len(server.subscriptions) == 1)
    rest, filters = server.subscriptions[0], []
    while rest:
        assert rest[0] == 0x0A  # field 1, bytes
        filters.append(rest[2 : 2 + rest[1]].decode())
        rest = rest[2 + rest[1] :]
    assert filters[0] == 'topic=="/tasks/start",namespace=="k8s.io"'
    assert len(filters) == 4


@pytest.mark.usefixtures("no_echo")
async def test_what_has_been_created_is_known_even_if_it_is_removed_at_once(
    server: FakeCriServer, discovery: CriPodDiscovery
) -> None:
    server.add_pod("s1", "web-0", uid="u1")
    async with listening(discovery) as items:
        await until(lambda: len(server.listeners) == 1 and items() > 0)
        server.add_container("c1", "short", sandbox_id="s1", pid=0)
        before = items()
        server.tell()
        await until(lambda: items() > before)
        server.remove("c1")
        described = await discovery.describe("c1")
    assert described is not None
    assert described.name == "short"
