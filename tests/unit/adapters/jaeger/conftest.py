from collections.abc import AsyncIterator

import pytest

from container_tracer.fakes.jaeger_collector import FakeJaegerCollector


@pytest.fixture
async def collector() -> AsyncIterator[FakeJaegerCollector]:
    async with FakeJaegerCollector() as collector:
        yield collector
