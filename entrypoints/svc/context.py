"""What the handlers of svc find in their application."""

from typing import TypeAlias

from attrs import frozen
from sanic import Config, Request, Sanic

from ...domain.services.broadcast import Broadcast
from ...domain.services.cluster_sessions import ClusterSessions
from ...domain.services.merged_events import MergedStreams
from ..rest.context import Context, RequestContext


@frozen(kw_only=True)
class SvcContext(Context):
    """What svc's application was wired with."""

    broadcast: Broadcast
    sessions: ClusterSessions
    streams: MergedStreams


SvcReq: TypeAlias = Request[Sanic[Config, SvcContext], RequestContext]
