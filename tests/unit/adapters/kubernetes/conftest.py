"""A fake API server, and a connection of the real library to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from container_tracer.adapters.kubernetes.connection import KubernetesConnection
from container_tracer.adapters.kubernetes.settings import KubernetesSettings
from container_tracer.fakes.kubernetes.api import FakeKubernetesApi


@pytest.fixture
async def api() -> AsyncIterator[FakeKubernetesApi]:
    async with FakeKubernetesApi() as api:
        yield api


@pytest.fixture
def settings(api: FakeKubernetesApi, tmp_path: Path) -> KubernetesSettings:
    path = api.write_kubeconfig(tmp_path / "config", namespace="container-tracer")
    return KubernetesSettings(kubeconfig=str(path), environ={})


@pytest.fixture
async def connection(settings: KubernetesSettings) -> AsyncIterator[KubernetesConnection]:
    connection = await KubernetesConnection.open(settings)
    yield connection
    await connection.close()
