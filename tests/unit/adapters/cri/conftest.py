"""A runtime that speaks the CRI, and a discovery that asks it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from container_tracer.adapters.cri.discovery import CriPodDiscovery
from container_tracer.fakes.cri_server import FakeCriServer


@pytest.fixture
def server(socket_folder: Path) -> Iterator[FakeCriServer]:
    with FakeCriServer(path=socket_folder / "cri.sock") as made:
        yield made


@pytest.fixture
async def discovery(server: FakeCriServer) -> AsyncIterator[CriPodDiscovery]:
    async with opened(server.path) as made:
        yield made


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[CriPodDiscovery]:
    made = CriPodDiscovery.open(str(path))
    try:
        yield made
    finally:
        await made.close()
