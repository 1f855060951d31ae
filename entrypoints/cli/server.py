"""Which tracer is meant, as it is typed: a URL, a cluster, or none but a private one."""

import argparse
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

SERVER_VARIABLE = "CONTAINER_TRACER_SERVER"
TOKEN_VARIABLE = "CONTAINER_TRACER_TOKEN"  # noqa: S105 - the name of a variable
TRACER_NAMESPACE = "container-tracer"


@frozen(kw_only=True)
class Cluster:
    """Where a tracer-svc is looked for; empty texts are what kubectl would take."""

    kubeconfig: str = ""
    context: str = ""
    namespace: str = TRACER_NAMESPACE


@frozen(kw_only=True)
class Server:
    """Where the tracer is; without `url` and `cluster` a private node, for this command alone.

    `nodes` are patterns for the nodes that are asked, none for all. `tls` says whom to trust
    with https, and who we are; None is whom the system trusts. `trace_context` are headers that
    name the span this command is run in, if its environment does.
    """

    url: str = ""
    cluster: Cluster | None = None
    token: str = field(default="", repr=False)
    nodes: tuple[str, ...] = ()
    tls: ssl.SSLContext | None = None
    mount_tracefs: bool = False
    verbose: bool = False
    trace_context: Mapping[str, str] = field(factory=dict)

    @property
    def stays(self) -> bool:
        """Tell whether it goes on when this command is over."""
        return bool(self.url or self.cluster)


def add_server_options(add: Callable[..., None]) -> None:
    """Add the options that say which tracer is meant."""
    add("--server", metavar="URL", help=f"http://HOST:PORT or unix:/PATH [{SERVER_VARIABLE}]")
    add("--cluster", action="store_true", help="the tracer-svc of the cluster kubectl speaks to")
    add("--kubeconfig", metavar="FILE", help="of that cluster; implies --cluster [KUBECONFIG]")
    add("--kube-context", metavar="NAME", help="of the kubeconfig; implies --cluster")
    add("--tracer-namespace", metavar="NAME", help=f"where it runs; default {TRACER_NAMESPACE}")
    add("--node", metavar="PATTERN", action="append", help="ask these nodes only; repeatable")
    add(
        "--token-file",
        metavar="FILE",
        help=f"a token for the server [{TOKEN_VARIABLE}: the token itself]",
    )
    add("--ca-file", metavar="FILE", help="who may sign the server's certificate")
    add("--client-cert", metavar="FILE", help="our own certificate, for a server that wants one")
    add("--client-key", metavar="FILE", help="the key of --client-cert")
    add("--mount-tracefs", action="store_true", help="private tracer: mount tracefs if needed")
    add("--verbose", action="store_true", help="private tracer: show its log")


DEFAULTS: Mapping[str, Any] = {
    "server": None,
    "cluster": False,
    "kubeconfig": None,
    "kube_context": None,
    "tracer_namespace": None,
    "node": (),
    "token_file": None,
    "ca_file": None,
    "client_cert": None,
    "client_key": None,
    "mount_tracefs": False,
    "verbose": False,
}


def read_server(
    given: argparse.Namespace, environ: Mapping[str, str], *, cluster: bool = False
) -> Server:
    """Read what was typed; raise `ValueError`. `cluster` is meant where nothing else is said."""
    named = _cluster(given, cluster=cluster and given.server is None)
    if named and given.server:
        raise ValueError("--server and --cluster name two tracers; say which")
    url = (environ.get(SERVER_VARIABLE, "") if given.server is None else given.server).strip()
    server = Server(
        url="" if named else url,
        cluster=named,
        token=_token(given.token_file, environ),
        nodes=tuple(given.node),
        tls=_tls(given),
        mount_tracefs=given.mount_tracefs,
        verbose=given.verbose,
        trace_context=_trace_context(environ),
    )
    if server.nodes and not server.stays:
        raise ValueError("--node chooses nodes of a cluster: name it with --server or --cluster")
    if server.tls and not (server.cluster or server.url.startswith("https://")):
        raise ValueError("certificates are for https: name the tracer with --server https://...")
    return server


def _cluster(given: argparse.Namespace, *, cluster: bool) -> Cluster | None:
    named = (given.kubeconfig, given.kube_context, given.tracer_namespace)
    if not (cluster or given.cluster or any(named)):
        return None
    return Cluster(
        kubeconfig=given.kubeconfig or "",
        context=given.kube_context or "",
        namespace=given.tracer_namespace or TRACER_NAMESPACE,
    )


def _trace_context(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Read the variables that pass trace context on between programs; they may be of anybody."""
    given = {name: environ.get(name.upper(), "").strip() for name in ("traceparent", "tracestate")}
    return {name: one for name, one in given.items() if one and one.isascii() and one.isprintable()}


def _token(file: str | None, environ: Mapping[str, str]) -> str:
    if file is None:
        return environ.get(TOKEN_VARIABLE, "").strip()
    try:
        return Path(file).read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise ValueError(f"--token-file: {_reason(error)}") from error


def _tls(given: argparse.Namespace) -> ssl.SSLContext | None:
    if not (given.ca_file or given.client_cert or given.client_key):
        return None
    if bool(given.client_cert) != bool(given.client_key):
        raise ValueError("--client-cert and --client-key go together")
    flag = "--ca-file"
    try:
        context = ssl.create_default_context(cafile=given.ca_file)
        if given.client_cert:
            flag = "--client-cert"
            context.load_cert_chain(given.client_cert, given.client_key)
    except OSError as error:  # that of ssl is one
        raise ValueError(f"{flag}: {_reason(error)}") from error
    return context


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
