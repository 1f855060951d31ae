from prometheus_client import CollectorRegistry

from container_tracer.domain.model.nodes import Node, Nodes
from container_tracer.domain.services.backoff import Backoff
from container_tracer.domain.services.node_roster import NodeRoster
from container_tracer.entrypoints.svc.roster_metrics import RosterMetrics
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.node_directory import FakeNodeDirectory
from container_tracer.ports.errors import DiscoveryFailed

KNOWN = Nodes(
    ready=(Node(name="worker-1", host="10.0.0.1", port=8080),),
    unready={"worker-2": "its pod is being deleted"},
)


async def test_metrics_tell_how_many_nodes_are_known_and_how_well() -> None:
    directory, clock = FakeNodeDirectory(known=KNOWN), FakeClock()
    roster = NodeRoster(directory=directory, clock=clock)
    registry = CollectorRegistry()
    registry.register(RosterMetrics(roster))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"container_tracer_{name}", labels)

    assert (value("nodes", ready="true"), value("nodes_age_seconds")) == (0, -1)
    assert (value("nodes_fresh"), value("nodes_watched")) == (0, 0)
    await roster.list_anew(Backoff())
    assert (value("nodes", ready="true"), value("nodes", ready="false")) == (1, 1)
    assert (value("nodes_fresh"), value("node_lists_total"), value("node_changes_total")) == (
        1,
        1,
        1,
    )
    clock.advance(60)
    directory.failure = DiscoveryFailed("Away.")
    await roster.list_anew(Backoff())
    await roster.follow(Backoff())
    assert (value("nodes", ready="true"), value("nodes_age_seconds")) == (1, 60)
    assert (value("nodes_fresh"), value("nodes_watched")) == (0, 0)
    assert (value("node_discovery_failures_total"), value("node_watches_total")) == (2, 1)
