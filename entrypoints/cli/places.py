"""What rows of `top` are about: a container each, or all that is alike elsewhere added up."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve

from ...client import CallSummary, Summary
from ...client.merging import Place, merge_calls

CONTAINER = "container"

_PLACES: Mapping[str, Place] = {
    "pod": lambda _, call: (call.namespace, call.pod, "", ""),
    "node": lambda summary, _: ("", "", summary.node, ""),
    "call": lambda *_: ("", "", "", ""),
}

PLACES = (CONTAINER, *_PLACES)
"""What calls can be added up by; `call` is whatever container made them."""


def placed(summaries: Sequence[Summary], by: str) -> Sequence[Summary]:
    """Add up what has the same place; of containers every summary stays by itself.

    Otherwise there is one summary of all, whose percentiles are those of all together.
    """
    if by == CONTAINER or not summaries:
        return summaries
    return [
        evolve(
            summaries[0],
            node=", ".join(dict.fromkeys(one.node for one in summaries)),
            started_ns=min(one.started_ns for one in summaries),
            until_ns=max(one.until_ns for one in summaries),
            spans=sum(one.spans for one in summaries),
            incomplete=sum(one.incomplete for one in summaries),
            lost=sum(one.lost for one in summaries),
            calls=merge_calls(summaries, _PLACES[by]),
            json={},
        )
    ]


def document_of(summaries: Sequence[Summary]) -> dict[str, Any]:
    """Write summaries as the API does, also those that were added up here."""
    return {one.session_id: one.json or _document(one) for one in summaries}


def _document(one: Summary) -> dict[str, Any]:
    return {
        "Id": one.session_id,
        "State": one.state,
        "Node": one.node,
        "TraceHook": one.hook,
        "StartedNs": one.started_ns,
        "UntilNs": one.until_ns,
        "RelativeError": one.relative_error,
        "Spans": one.spans,
        "Incomplete": one.incomplete,
        "Lost": one.lost,
        "Calls": list(map(_call, one.calls)),
    }


def _call(one: CallSummary) -> dict[str, Any]:
    return {
        "Namespace": one.namespace,
        "Pod": one.pod,
        "Container": one.container,
        "ContainerId": one.container_id,
        "Name": one.name,
        "Count": one.count,
        "Errors": one.errors,
        "Incomplete": one.incomplete,
        "TotalNs": one.total_ns,
        "P50Ns": one.p50_ns,
        "P95Ns": one.p95_ns,
        "P99Ns": one.p99_ns,
        "MaxNs": one.max_ns,
    }
