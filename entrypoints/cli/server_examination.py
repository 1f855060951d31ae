"""Looking at a server: it is asked for everything that tells how it is."""

from collections.abc import Awaitable
from typing import TypeVar

from attrs import define, field

from ... import __version__
from ...client import Answer, ClientError, Hook, Pod, ServerUnreachable, TracerClient
from ...domain.model.diagnosis.server import ServerFacts

T = TypeVar("T")


async def examine_server(tracer: TracerClient, *, url: str) -> ServerFacts:
    """Ask for readiness, hooks, pods and metrics; what is refused is a fact, never an error."""
    asked = _Questions()
    try:
        not_ready = await _not_ready(tracer)
        hooks = await asked.ask("/v1/trace-hooks", tracer.hooks(), Answer[Hook]())
        pods = await asked.ask("/v1/pods", tracer.pods(), Answer[Pod]())
        metrics = await asked.ask("/metrics", tracer.metrics(), "")
    except ServerUnreachable as error:
        return ServerFacts(url=url, version=__version__, unreachable=str(error))
    containers = [one for pod in pods for one in pod.containers]
    return ServerFacts(
        url=url,
        version=__version__,
        not_ready=not_ready,
        hooks={hook.name: "" if hook.available else hook.reason for hook in hooks},
        pods=len(pods),
        containers=len(containers),
        metrics=metrics,
        refusals=asked.refusals,
        nodes=tuple(sorted({one.node for one in containers})),
        failed_nodes={
            one.node: one.detail or one.title for one in (*hooks.node_errors, *pods.node_errors)
        },
    )


async def _not_ready(tracer: TracerClient) -> str:
    try:
        await tracer.ready()
    except ServerUnreachable:
        raise
    except ClientError as error:
        return str(error)
    return ""


@define
class _Questions:
    """Questions to a server, and those it refused; lives for one examination."""

    refusals: dict[str, str] = field(factory=dict)

    async def ask(self, path: str, question: Awaitable[T], instead: T) -> T:
        try:
            return await question
        except ServerUnreachable:
            raise
        except ClientError as error:
            self.refusals[path] = str(error)
            return instead
