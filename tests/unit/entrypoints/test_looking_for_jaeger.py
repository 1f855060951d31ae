"""Jaeger is looked for as long as a program serves, if it is told to."""

import asyncio
import subprocess
import sys

import pytest

from container_tracer.domain.model.collector_services import CollectorService, CollectorServices
from container_tracer.domain.services.found_collector import FoundCollector
from container_tracer.entrypoints.looking_for_jaeger import looking_for_jaeger
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.collector_directory import FakeCollectorDirectory

PROGRAM = """
import sys
from container_tracer.entrypoints.node.settings import read_settings
from container_tracer.entrypoints.node.wiring import NodeWiring
wiring = NodeWiring(settings=read_settings(["--jaeger-endpoint=c:14268"], {}))
print(wiring.jaeger(), len(wiring.spans().exporters), "kubernetes" in sys.modules)
"""


def a_collector() -> FoundCollector:
    services = (CollectorService(namespace="a", host="10.0.0.1"),)
    known = CollectorServices(services=services)
    return FoundCollector(directory=FakeCollectorDirectory(known=known), clock=FakeClock())


async def test_it_is_found_in_the_block_and_known_after_it() -> None:
    collector = a_collector()
    directory = collector.directory
    assert isinstance(directory, FakeCollectorDirectory)
    async with asyncio.timeout(5), looking_for_jaeger(collector):
        for _ in range(5):
            await asyncio.sleep(0)  # its task has its turn
        assert not directory.closed
    assert directory.closed
    # Spans that wait are sent when the program ends.
    assert collector.url() == "http://10.0.0.1:14268/api/traces"


async def test_should_it_end_by_itself_so_does_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    async def end(_: FoundCollector) -> None:
        raise RuntimeError("It ended.")

    monkeypatch.setattr(FoundCollector, "run", end)
    with pytest.raises(ExceptionGroup, match="unhandled"):
        async with looking_for_jaeger(a_collector()):
            await asyncio.Event().wait()


def test_where_a_collector_is_named_the_library_of_kubernetes_is_not_loaded() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=False)
    assert (ran.stdout.decode().split(), ran.stderr) == (["None", "1", "False"], b"")
