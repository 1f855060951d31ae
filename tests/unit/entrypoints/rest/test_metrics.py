"""Metrics are read when they are asked for, and never grow with what clients make up."""

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from container_tracer.domain.model.discovery_choice import DiscoveryChoice
from container_tracer.domain.model.session import SessionState


async def scrape(node: Any) -> dict[tuple[str, ...], float]:
    answer = await node.ask("GET", "/metrics")
    assert answer.status == 200
    assert answer.media_type == "text/plain"
    return {
        (sample.name.removeprefix("container_tracer_"), *sorted(sample.labels.values())): value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
        for value in [sample.value]
    }


async def test_a_source_accounts_for_every_event(node: Any) -> None:
    read = await scrape(node)
    fates = ("attributed", "unattributed", "lost", "malformed")
    assert read["source_recorded_events_total", "syscalls"] == 1500
    assert sum(read["source_events_total", *sorted([fate, "syscalls"])] for fate in fates) == 1500
    assert read["source_pending_events", "syscalls"] == 0


async def test_sessions_are_counted_by_state(node: Any) -> None:
    await node.create()
    await node.create(run=True)
    read = await scrape(node)
    states = {state: read["sessions", state.value] for state in SessionState}
    assert states.pop(SessionState.CREATED) == 1
    assert states.pop(SessionState.RUNNING) == 1
    assert set(states.values()) == {0}


async def test_a_kernel_that_cannot_be_traced_shows(node: Any) -> None:
    assert (await scrape(node))["tracing_available",] == 1
    node.sessions.reason = "no tracefs"
    assert (await scrape(node))["tracing_available",] == 0


async def test_how_containers_are_found_shows(node: Any) -> None:
    assert (await scrape(node))["discovery_cri",] == 0
    node.pods.choice = DiscoveryChoice(name="cri", runtime="containerd")
    assert (await scrape(node))["discovery_cri",] == 1


async def test_requests_are_counted_by_route_not_by_path(node: Any) -> None:
    for number in range(3):
        await node.ask("GET", f"/v1/trace-session/{number}")
        await node.ask("GET", f"/nowhere/{number}")
        await node.ask(f"BREW{number}", "/v1/pods")
    read = await scrape(node)
    assert read["http_requests_total", "/v1/trace-session/{session_id}", "404", "GET"] == 3
    assert read["http_requests_total", "", "404", "GET"] == 3
    assert read["http_requests_total", "", "405", "other"] == 3
    assert read["http_request_duration_seconds_count", "", "GET"] == 3
