"""A fake API server, and plain HTTP to ask it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from attrs import frozen

from container_tracer.fakes.kubernetes.api import FakeKubernetesApi


@frozen
class Http:
    api: FakeKubernetesApi
    session: aiohttp.ClientSession

    async def ask(
        self, path: str, *, method: str = "GET", bearer: str = "", body: Any = None, **query: str
    ) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        url = self.api.url + path
        async with self.session.request(
            method, url, params=query, headers=headers, json=body
        ) as response:
            text = await response.text()
            is_json = response.content_type == "application/json"
            return response.status, json.loads(text) if is_json else text

    async def watch(self, path: str, **query: str) -> AsyncIterator[dict[str, Any]]:
        asked = {"watch": "true", **query}
        async with self.session.get(self.api.url + path, params=asked) as response:
            async for line in response.content:
                yield json.loads(line)


@pytest.fixture
async def api() -> AsyncIterator[FakeKubernetesApi]:
    async with FakeKubernetesApi() as api:
        yield api


@pytest.fixture
async def http(api: FakeKubernetesApi) -> AsyncIterator[Http]:
    async with aiohttp.ClientSession() as session:
        yield Http(api, session)
