"""svc as a program that looks for Jaeger by itself."""

import asyncio
from pathlib import Path

from container_tracer.fakes.jaeger_collector import FakeJaegerCollector
from container_tracer.fakes.kubernetes.api import FakeKubernetesApi
from container_tracer.fakes.kubernetes.manifests import jaeger_service
from tests.integration.node.conftest import wait_for
from tests.integration.node.test_jaeger import own_address

from .conftest import StartSvc


async def test_its_own_spans_wait_for_kubernetes_and_for_jaeger(
    start_svc: StartSvc, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    flags = ("--kubeconfig", str(config), "--jaeger-endpoint=auto")
    svc = await asyncio.to_thread(start_svc, "a=127.0.0.1:1", flags=flags)
    refused = await asyncio.to_thread(svc.ask, "POST", "/v1/trace-session", [])
    assert refused.status == 400
    async with (
        asyncio.timeout(60),
        FakeKubernetesApi() as api,
        FakeJaegerCollector(host=own_address(1), port=14268) as collector,
    ):
        await asyncio.to_thread(
            wait_for, lambda: "jaeger.search_failed" in svc.log.read_text(), "a warning"
        )
        api.write_kubeconfig(config)
        await api.watched("services")
        await api.objects.put(jaeger_service("tracing", ip=collector.host))
        await collector.hears()
        await asyncio.to_thread(svc.stop)
    assert {span.name for span in collector.spans} >= {"POST /v1/trace-session"}
    assert "Traceback" not in svc.log.read_text()
