"""The diagnosis of a server: what it answers becomes findings."""

import re
from collections.abc import Iterator, Mapping

from attrs import field, frozen

from .finding import Finding, counted, info, ok, problem, warning

MAX_NAMED = 10
"""So many nodes are named; the others are counted."""

_SAMPLE = re.compile(
    r"^(?P<name>[a-z_]+)(?:\{(?P<labels>[^}]*)\})? (?P<value>[0-9.e+]+)$", re.MULTILINE
)
_LABEL = re.compile(r'([a-z_]+)="([^"]*)"')


@frozen(kw_only=True)
class ServerFacts:
    """Answers of a server, or why there were none.

    `version` is this program's own. `unreachable` says in a sentence that it does not answer;
    `not_ready` why it cannot trace; `hooks` of each hook why it is unavailable (empty: it can
    run); `metrics` is the text of `/metrics`; `refusals` names requests that were refused, with
    the reason. `nodes` are those of its containers, `failed_nodes` those that it could not ask,
    and why.
    """

    url: str
    version: str
    unreachable: str = ""
    not_ready: str = ""
    hooks: Mapping[str, str] = field(factory=dict)
    pods: int = 0
    containers: int = 0
    metrics: str = ""
    refusals: Mapping[str, str] = field(factory=dict)
    nodes: tuple[str, ...] = ()
    failed_nodes: Mapping[str, str] = field(factory=dict)


def diagnose_server(facts: ServerFacts) -> tuple[Finding, ...]:
    """Turn answers into findings."""
    return tuple(_findings(facts))


def _findings(facts: ServerFacts) -> Iterator[Finding]:
    if facts.unreachable:
        yield problem(
            "server",
            facts.unreachable,
            why="The server does not run, listens elsewhere, or is kept away by the network.",
            mend="container-tracer doctor, without --server, on the server's machine",
        )
        return
    yield from _readiness(facts)
    yield from _version(facts)
    for path, reason in facts.refusals.items():
        yield warning(
            "server", f"{path} was refused: {reason}", why="So it could not be looked at."
        )
    yield from _nodes(facts)
    yield from _hooks(facts)
    if "/v1/pods" not in facts.refusals:
        yield info("containers", f"It sees {facts.containers} containers in {facts.pods} pods.")
    yield from _sessions(facts.metrics)
    yield from _losses(facts.metrics)


def _readiness(facts: ServerFacts) -> Iterator[Finding]:
    if not facts.not_ready:
        yield ok("server", f"{facts.url} answers, and is ready to trace.")
        return
    yield problem(
        "server",
        f"{facts.url} answers, but cannot trace: {facts.not_ready}",
        mend="sudo container-tracer doctor, on the server's machine",
    )


def _version(facts: ServerFacts) -> Iterator[Finding]:
    samples = _parsed(facts.metrics, "container_tracer_build_info")
    builds = [labels.get("version") for labels, _ in samples]
    theirs = builds[0] if builds else None
    if theirs is None:
        yield info("version", "The server does not tell its version.")
    elif theirs != facts.version:
        yield warning(
            "version",
            f"The server has version {theirs}, this program {facts.version}.",
            why="Options and keys that only one of them knows are refused.",
            mend="make install, from the same release as the server",
        )
    else:
        yield ok("version", f"The server has version {theirs}, as this program.")


def _nodes(facts: ServerFacts) -> Iterator[Finding]:
    known = {
        labels.get("ready"): int(value)
        for labels, value in _parsed(facts.metrics, "container_tracer_nodes")
    }
    if known or len(facts.nodes) > 1 or facts.failed_nodes:
        asked = known.get("true", len(facts.nodes))
        yield info("nodes", f"It asks {counted(asked, 'node')}; containers are on {_named(facts)}.")
    if any(not value for _, value in _parsed(facts.metrics, "container_tracer_nodes_fresh")):
        yield warning(
            "nodes",
            "It cannot list its nodes now.",
            why="It asks those it knew last; others that have come since are missing.",
            mend="kubectl -n container-tracer logs deployment/container-tracer-svc",
        )
    for name, reason in facts.failed_nodes.items():
        yield warning(
            f"node {name}",
            f"{name} cannot be asked: {reason}",
            why="Its containers are in no answer, and are not traced.",
            mend=f"kubectl get pods -A -o wide --field-selector spec.nodeName={name}",
        )


def _named(facts: ServerFacts) -> str:
    more = len(facts.nodes) - MAX_NAMED
    named = ", ".join(facts.nodes[:MAX_NAMED]) or "none"
    return f"{named} and {more} more" if more > 0 else named


def _hooks(facts: ServerFacts) -> Iterator[Finding]:
    for name, reason in facts.hooks.items():
        if reason:
            yield info(f"hook {name}", f"{name} cannot run there: {reason}")
        else:
            yield ok(f"hook {name}", f"{name} can run there.")


def _sessions(metrics: str) -> Iterator[Finding]:
    counts = {
        labels.get("state", ""): int(value)
        for labels, value in _parsed(metrics, "container_tracer_sessions")
    }
    if counts:
        said = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        yield info("sessions", f"Sessions: {said or 'none'}.")


def _losses(metrics: str) -> Iterator[Finding]:
    name = "container_tracer_source_events_total"
    lost = sum(
        int(value) for labels, value in _parsed(metrics, name) if labels.get("fate") == "lost"
    )
    if lost:
        yield warning(
            "losses",
            f"Sources that are open have lost {lost} events.",
            why="The kernel overwrote them before they were read.",
            mend="trace fewer calls (-s), or start tracer-node with a larger --buffer-kib",
        )


def _parsed(metrics: str, name: str) -> list[tuple[dict[str, str], float]]:
    """Read the samples of a family, in Prometheus' text format: labels and value."""
    return [
        (dict(_LABEL.findall(found["labels"] or "")), float(found["value"]))
        for found in _SAMPLE.finditer(metrics)
        if found["name"] == name
    ]
