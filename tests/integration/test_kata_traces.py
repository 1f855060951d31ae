"""Spans of Kata's runtime and of its agents meet in Jaeger, and every trace has one root.

The runtime is OpenTelemetry's own library with its exporter to Jaeger, which is what Kata's has.
"""

import asyncio
from collections import defaultdict

import pytest
from attrs import evolve
from opentelemetry.exporter.jaeger.thrift import JaegerExporter
from opentelemetry.propagate import inject
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from container_tracer.adapters.jaeger.collector import CollectorAddress
from container_tracer.adapters.jaeger.single_spans import JaegerSingleSpanExporter
from container_tracer.adapters.system.clock import SystemClock
from container_tracer.domain.model.guests.agent_span import AgentSpan
from container_tracer.domain.model.guests.peer import GuestPeer
from container_tracer.domain.model.pod import Pod
from container_tracer.domain.model.single_span import SingleSpan
from container_tracer.domain.model.span_attributes import ServiceResource
from container_tracer.domain.model.trace_context import read_span_context
from container_tracer.domain.services.guests.guest import GuestTerms
from container_tracer.domain.services.guests.spans import GuestSpans
from container_tracer.fakes.agent_span import agent_bincode, agent_json
from container_tracer.fakes.jaeger_collector import CollectedSpan, FakeJaegerCollector
from container_tracer.fakes.spans import NOON_NS

POD = Pod(name="shop", namespace="sales", uid="u1", sandboxes=("s1",))


def span(name: str, trace_id: bytes, number: int, parent: bytes, **attributes: str) -> AgentSpan:
    made = SingleSpan(
        name=name,
        trace_id=trace_id,
        span_id=number.to_bytes(8, "big"),
        parent_span_id=parent,
        started_ns=NOON_NS + number,
        ended_ns=NOON_NS + number + 10_000,
        attributes=attributes,
    )
    return AgentSpan(span=made, resource={"service.name": "unknown_service"})


def ask_the_agent(endpoint: str) -> dict[str, str]:
    """Do what the runtime does for a request: a span of its own, whose context goes along."""
    with pytest.warns(DeprecationWarning, match="Jaeger supports OTLP"):
        exporter = JaegerExporter(collector_endpoint=endpoint)
    provider = TracerProvider(resource=Resource.create({"service.name": "kata"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    carrier: dict[str, str] = {}
    with provider.get_tracer("kata").start_as_current_span("createContainer"):
        inject(carrier)
    provider.shutdown()
    exporter._collector.http_transport.close()  # it leaves its connection open
    return carrier


async def test_spans_of_runtime_and_agent_are_one_trace_and_no_trace_lacks_its_root() -> None:
    async with FakeJaegerCollector() as collector:
        metadata = await asyncio.to_thread(ask_the_agent, collector.endpoint)
        context = read_span_context(lambda name: [metadata[name]] if name in metadata else [])
        assert context
        resource = ServiceResource(service_name="kata-agent")
        spans = GuestSpans(
            exporters=[
                JaegerSingleSpanExporter(
                    address=CollectorAddress(url=collector.endpoint), resource=resource
                )
            ],
            clock=SystemClock(),
            terms=GuestTerms(resource=resource, pods={"s1": POD}.get),
        )
        await spans.start()
        guest = spans.guest(GuestPeer(address="vsock:3", sandbox_id="s1"))
        request = span("create_container", context.trace_id, 5, context.span_id, req="PASSWORD=x")
        mounts = span("add_storages", context.trace_id, 6, request.span.span_id)
        # The agent's own trace: what is open as long as the agent lives never comes.
        boot = span("handle_localhost", b"\7" * 16, 3, b"\0" * 7 + b"\2")
        for one in (boot, mounts):
            guest.took(agent_bincode(one))
        guest.took(agent_json(evolve(request, resource={})))
        guest.left()
        await spans.close()
        arrived = collector.spans
    traces: dict[int, dict[int, CollectedSpan]] = defaultdict(dict)
    for found in arrived:
        traces[found.trace_id][found.span_id] = found
    assert len(arrived) == sum(map(len, traces.values())) == 5
    asked, alone = traces[int.from_bytes(context.trace_id, "big")], traces[int("07" * 16, 16)]
    assert [tree(asked), tree(alone)] == [
        {"createContainer": {"create_container": {"add_storages": {}}}},
        {"root-span": {"handle_localhost": {}}},
    ]
    assert {one.name: one.service for one in asked.values()} == {
        "createContainer": "kata",
        "create_container": "kata-agent",
        "add_storages": "kata-agent",
    }
    assert asked[5].tags["req"] == "redacted (10 bytes)"


def tree(trace: dict[int, CollectedSpan], parent: int = 0) -> dict[str, object]:
    """Return names of spans within names of spans; one without its parent is in none."""
    below = [one for one in trace.values() if one.parent_id == parent]
    return {one.name: tree(trace, one.span_id) for one in below}
