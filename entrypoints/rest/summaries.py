"""What a run came to becomes the JSON of the API."""

from ...domain.model.distribution import RELATIVE_ERROR
from ...domain.model.session import TraceSession
from ...domain.model.summary import CallSummary, RunSummary
from .json_answer import Json


def summary_answer(
    session: TraceSession, run: RunSummary, *, node: str, buckets: bool = False
) -> Json:
    """Turn a summary into what `/v1/trace-session/ID/summary` says of a session.

    With thousands of rows that takes a while: call it where nobody else waits.
    """
    return {
        "Id": session.session_id,
        "State": session.state.value,
        "Node": node,
        "TraceHook": session.request.hook,
        "StartedNs": run.started_ns,
        "UntilNs": run.until_ns,
        "RelativeError": RELATIVE_ERROR,
        "Spans": run.summary.spans,
        "Incomplete": run.summary.incomplete,
        "Lost": run.statistics.source.lost,
        "Calls": [_call(call, buckets=buckets) for call in run.summary.calls()],
    }


def _call(call: CallSummary, *, buckets: bool) -> Json:
    row: Json = {
        "Namespace": call.container.namespace,
        "Pod": call.container.pod,
        "Container": call.container.name,
        "ContainerId": call.container.container_id,
        "Name": call.name,
        "Count": call.count,
        "Errors": call.errors,
        "Incomplete": call.incomplete,
        "TotalNs": call.total_ns,
        "P50Ns": call.p50_ns,
        "P95Ns": call.p95_ns,
        "P99Ns": call.p99_ns,
        "MaxNs": call.max_ns,
    }
    if buckets:
        row["Buckets"] = {str(bucket): count for bucket, count in call.buckets.items()}
    return row
