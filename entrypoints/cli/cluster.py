"""The tracer of a cluster, reached through the API of Kubernetes.

Nothing listens here meanwhile: no other program of this machine can use the connections.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from socket import socket

from attrs import frozen

from ...adapters.kubernetes.connection import KubernetesConnection
from ...adapters.kubernetes.portforward import PortForward
from ...adapters.kubernetes.settings import KubernetesSettings
from ...client import ServerUnreachable, TracerClient
from ...ports.errors import ClusterUnavailable
from .server import Cluster, Server

LABELS = "app=container-tracer-svc"
SERVICE = "container-tracer-svc"


@frozen
class ClusterLine:
    """Dials a tracer-svc, with the client's own errors."""

    forward: PortForward

    async def url(self) -> str:
        """Return what the pod is asked as: a certificate is for the service's name."""
        with _errors():
            pod = await self.forward.pod()
        if pod.secure:
            return f"https://{SERVICE}.{self.forward.namespace}.svc:{pod.port}"
        return f"http://localhost:{pod.port}"

    async def dial(self) -> socket:
        """Connect."""
        with _errors():
            return await self.forward.dial()


@asynccontextmanager
async def cluster_tracer(
    server: Server, cluster: Cluster, environ: Mapping[str, str]
) -> AsyncIterator[TracerClient]:
    """Yield a client of a cluster's tracer-svc; raise `ServerUnreachable`."""
    settings = KubernetesSettings(
        kubeconfig=cluster.kubeconfig, context=cluster.context, environ=environ
    )
    with _errors():
        connection = await KubernetesConnection.open(settings)
    forward = PortForward(connection=connection, namespace=cluster.namespace, labels=LABELS)
    line = ClusterLine(forward)
    try:
        async with TracerClient(
            await line.url(),
            token=server.token,
            nodes=server.nodes,
            tls=server.tls,
            dial=line.dial,
            trace_context=server.trace_context,
        ) as tracer:
            yield tracer
    except ServerUnreachable as error:
        if forward.trouble and forward.trouble not in str(error):
            raise ServerUnreachable(f"{error} {forward.trouble}") from error
        raise
    finally:
        await forward.close()
        await connection.close()


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except ClusterUnavailable as error:
        raise ServerUnreachable(str(error)) from error
