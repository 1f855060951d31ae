"""Metrics tell when a file of tokens cannot be used as it is."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from container_tracer.adapters.tokens.access_control import TokenFileAccessControl
from container_tracer.adapters.tokens.file import TokenFile
from container_tracer.domain.model.access import Unauthenticated
from container_tracer.domain.services.open_access import OpenAccess
from container_tracer.entrypoints.rest.access_metrics import AccessMetrics
from container_tracer.fakes.clock import FakeClock
from container_tracer.ports.access_control import AccessControl


def shown(access: AccessControl) -> str:
    registry = CollectorRegistry()
    registry.register(AccessMetrics(access))
    return generate_latest(registry).decode()


async def test_a_file_that_became_unusable_shows(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.touch(mode=0o600)
    path.write_text("tokens: [{name: ci, token: t0ken-0123456789abcdef}]")
    file = TokenFile(path)
    file.load()
    access = TokenFileAccessControl(file=file, clock=FakeClock())
    assert "container_tracer_token_file_usable 1.0" in shown(access)
    path.write_text("tokens: [")
    with pytest.raises(Unauthenticated):
        await access.identify("wrong")
    assert "container_tracer_token_file_usable 0.0" in shown(access)


def test_without_a_file_there_is_no_such_metric() -> None:
    assert shown(OpenAccess()) == ""
