"""The diagnosis of a server: for each answer, what is said and how it is mended."""

from typing import Any

import pytest
from attrs import evolve

from container_tracer.domain.model.diagnosis.finding import prevents_tracing
from container_tracer.domain.model.diagnosis.server import ServerFacts, diagnose_server

METRICS = """# HELP container_tracer_sessions Trace sessions by state.
container_tracer_sessions{state="created"} 0.0
container_tracer_sessions{state="running"} 2.0
container_tracer_build_info{version="1.2.3"} 1.0
container_tracer_source_events_total{fate="lost",source="a"} 0.0
container_tracer_source_events_total{fate="attributed",source="a"} 9.0
"""
HEALTHY = ServerFacts(
    url="http://one:8080",
    version="1.2.3",
    hooks={"trace_syscalls": ""},
    pods=2,
    containers=3,
    metrics=METRICS,
)
LOSING = METRICS.replace('fate="lost",source="a"} 0.0', 'fate="lost",source="a"} 1.5e+06')


def test_a_healthy_server_has_neither_problems_nor_warnings() -> None:
    findings = diagnose_server(HEALTHY)
    assert [(one.subject, one.verdict) for one in findings] == [
        ("server", "ok"),
        ("version", "ok"),
        ("hook trace_syscalls", "ok"),
        ("containers", "info"),
        ("sessions", "info"),
    ]
    assert findings[-1].what == "Sessions: 2 running."
    assert not prevents_tracing(findings)


def test_of_one_that_does_not_answer_nothing_else_is_said() -> None:
    (finding,) = diagnose_server(evolve(HEALTHY, unreachable="http://one:8080 is gone."))
    assert finding.verdict == "problem"
    assert finding.what == "http://one:8080 is gone."


@pytest.mark.parametrize(
    ("changes", "subject", "verdict", "said"),
    [
        ({"not_ready": "tracefs is gone."}, "server", "problem", "cannot trace: tracefs is gone."),
        ({"version": "2.0"}, "version", "warning", "version 1.2.3, this program 2.0"),
        ({"metrics": ""}, "version", "info", "does not tell"),
        ({"refusals": {"/v1/pods": "No token."}}, "server", "warning", "/v1/pods was refused: No"),
        ({"hooks": {"h": "No events."}}, "hook h", "info", "h cannot run there: No events."),
        ({"metrics": LOSING}, "losses", "warning", "1500000 events"),
        ({"metrics": METRICS.replace("2.0", "0.0")}, "sessions", "info", "Sessions: none."),
    ],
)
def test_an_answer_becomes_a_finding(
    changes: dict[str, Any], subject: str, verdict: str, said: str
) -> None:
    findings = diagnose_server(evolve(HEALTHY, **changes))
    found = [one for one in findings if one.subject == subject and one.verdict == verdict]
    assert len(found) == 1
    assert said in found[0].what


def test_containers_are_not_counted_where_the_list_was_refused() -> None:
    findings = diagnose_server(evolve(HEALTHY, refusals={"/v1/pods": "No token."}))
    assert not [one for one in findings if one.subject == "containers"]


def test_of_a_cluster_the_nodes_are_counted_and_those_that_fail_are_named() -> None:
    nodes = tuple(f"worker-{number:02}" for number in range(12))
    metrics = """container_tracer_nodes{ready="true"} 13.0
container_tracer_nodes{ready="false"} 1.0
container_tracer_nodes_fresh 0.0
"""
    late = {"worker-99": "no answer within 10 s"}
    facts = evolve(HEALTHY, nodes=nodes, failed_nodes=late, metrics=METRICS + metrics)
    told = [one for one in diagnose_server(facts) if one.subject.startswith("node")]
    assert [(one.verdict, one.what) for one in told] == [
        ("info", f"It asks 13 nodes; containers are on {', '.join(nodes[:10])} and 2 more."),
        ("warning", "It cannot list its nodes now."),
        ("warning", "worker-99 cannot be asked: no answer within 10 s"),
    ]
