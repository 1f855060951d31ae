"""A client of the API, for other programs: typed, asynchronous, light.

async with TracerClient("http://127.0.0.1:8080") as tracer:
    async with tracer.trace(TraceRequest(pod="shop", hook="trace_syscalls")) as trace:
        async for event in trace:
            print(event)
"""

from .errors import (
    ClientError,
    InvalidUrl,
    Problem,
    Refused,
    ServerUnreachable,
    UnexpectedAnswer,
)
from .events import ContainerChange, Dropped, End, Event, Heartbeat, Interrupted, Opened, Span
from .groups import Group, grouped
from .live_trace import LiveTrace
from .node_errors import Answer, NodeError
from .request import TraceRequest
from .tracer import TracerClient
from .values import (
    CallSummary,
    Container,
    ExporterStatistics,
    Hook,
    HookArgument,
    Pod,
    Session,
    Statistics,
    Summary,
)

__all__ = [
    "Answer",
    "CallSummary",
    "ClientError",
    "Container",
    "ContainerChange",
    "Dropped",
    "End",
    "Event",
    "ExporterStatistics",
    "Group",
    "Heartbeat",
    "Hook",
    "HookArgument",
    "Interrupted",
    "InvalidUrl",
    "LiveTrace",
    "NodeError",
    "Opened",
    "Pod",
    "Problem",
    "Refused",
    "ServerUnreachable",
    "Session",
    "Span",
    "Statistics",
    "Summary",
    "TraceRequest",
    "TracerClient",
    "UnexpectedAnswer",
    "grouped",
]
