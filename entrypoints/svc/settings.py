"""What the svc role can be told, by flags and by variables of its environment."""

# ruff: noqa: RUF009 - `option` makes a field, as attrs.field does

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import Factory, evolve, frozen

from ...domain.model.nodes import Node
from .. import tls_settings, values
from ..export_settings import complete_export, exporters_option
from ..exporting import SINGLE_SPAN_EXPORTERS
from ..options import command_line, last, option, options_of, read_options
from ..server_settings import ServerSettings, complete_server
from ..tls_settings import NODE_SERVER_NAME, NodesTls, nodes_tls

PROGRAM = "tracer-svc"

MAX_SECONDS = 3600

MAX_WAIT_SECONDS = 50
"""The server itself gives a request up after 60 s without an answer."""


def _node(text: str) -> Node:
    name, equals, where = text.partition("=")
    host, _, port = where.rpartition(":")
    if not equals or not re.fullmatch(r"[A-Za-z0-9._-]{1,253}", name, re.ASCII):
        raise ValueError(f"{text!r} is no node; write NAME=HOST:PORT")
    if not re.fullmatch(r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253}", host, re.ASCII):
        raise ValueError(f"{text!r} is no node: {host!r} is no host; write NAME=HOST:PORT")
    return Node(name=name, host=host.strip("[]"), port=values.port(port))


def _nodes(texts: Sequence[str]) -> tuple[Node, ...]:
    nodes = [_node(word) for text in texts for word in values.words(text)]
    for place, node in enumerate(nodes):
        if node.name in [one.name for one in nodes[:place]]:
            raise ValueError(f"node {node.name!r} is given twice")
    return tuple(nodes)


def _selector(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise ValueError(f"{text!r} is no selector")
    return text.strip()


@frozen(kw_only=True)
class SvcSettings(ServerSettings):
    """Everything the svc role is told; the wiring gets it whole."""

    SECTION = "The nodes"
    VARIABLES = "TRACE_KUBE"

    poll_seconds: int = option(
        "--poll",
        "TRACE_KUBE_DISCOVERY_POLL",
        default=10,
        parse=last(values.number(1, MAX_SECONDS)),
        meaning="between full listings of the nodes, whose changes are watched",
        unit="seconds",
    )
    """How often nodes are listed anew, though their changes are watched."""

    pods_selector: str = option(
        "--pods-selector",
        "TRACE_KUBE_SELECTOR_PODS",
        default="app=container-tracer-backend",
        parse=last(_selector),
        meaning="label selector of the tracer-node pods",
    )
    """Label selector of the pods that are nodes."""

    svc_selector: str = option(
        "--svc-selector",
        "TRACE_KUBE_SELECTOR_SVCS",
        default="metadata.name=container-tracer-node",
        parse=last(_selector),
        meaning="field selector of the service that says their port",
    )
    """Field selector of the service whose port nodes listen on."""

    namespace: str = option(
        "--namespace",
        "TRACE_KUBE_NAMESPACE",
        default="",
        parse=last(values.one_line),
        meaning="the Kubernetes namespace of the nodes",
        default_text="the pod's own, else that of the kubeconfig's context",
    )
    """Kubernetes namespace of the nodes; empty is the own one."""

    kubeconfig: Path | None = option(
        "--kubeconfig",
        "KUBECONFIG",
        default=None,
        parse=last(values.path),
        meaning="file that says how to reach the Kubernetes API",
        default_text="what pods are given, else ~/.kube/config",
    )
    """How the Kubernetes API is reached, where that is not what pods are given."""

    nodes: tuple[Node, ...] = option(
        "--nodes",
        "TRACE_KUBE_NODES",
        default=Factory(tuple),
        parse=_nodes,
        meaning="nodes as NAME=HOST:PORT: these are asked, and no Kubernetes is needed",
        repeatable=True,
    )
    """The nodes, where Kubernetes is not asked for them."""

    node_timeout_seconds: int = option(
        "--node-timeout",
        "TRACE_KUBE_NODE_TIMEOUT",
        default=10,
        parse=last(values.number(1, MAX_WAIT_SECONDS)),
        meaning=f"how long a node may take to answer, at most {MAX_WAIT_SECONDS}",
        unit="seconds",
    )
    """How long one node may take to answer."""

    request_timeout_seconds: int = option(
        "--request-timeout",
        "TRACE_KUBE_REQUEST_TIMEOUT",
        default=15,
        parse=last(values.number(1, MAX_WAIT_SECONDS)),
        meaning=f"how long a request may take in all, at most {MAX_WAIT_SECONDS}",
        unit="seconds",
    )
    """How long a request may take in all."""

    node_authority: Path | None = tls_settings.file_option(
        "--node-ca-file",
        "TRACE_KUBE_NODE_CA",
        meaning="certificates, PEM: nodes are asked over TLS, and must show one these have signed",
    )
    """File of the authorities that vouch for nodes, or None."""

    node_certificate: Path | None = tls_settings.file_option(
        "--node-certfile",
        "TRACE_KUBE_NODE_CERT",
        meaning="the certificate that nodes are shown, PEM",
    )
    """File of the certificate that nodes are shown, or None."""

    node_key: Path | None = tls_settings.file_option(
        "--node-keyfile", "TRACE_KUBE_NODE_KEY", meaning="the key of that certificate, PEM"
    )
    """File of that certificate's key, or None."""

    node_server_name: str = option(
        "--node-server-name",
        "TRACE_KUBE_NODE_SERVER_NAME",
        default=NODE_SERVER_NAME,
        parse=last(tls_settings.host_name),
        meaning="the name that nodes' certificates must have",
    )
    """What the certificate of every node must be for."""

    nodes_tls: NodesTls | None = None
    """How nodes are asked, of those that are about that; None is plain HTTP."""

    exporters: tuple[str, ...] = exporters_option(
        SINGLE_SPAN_EXPORTERS, default=(), meaning="where spans of svc itself go"
    )
    """Where spans of requests go; each of `SINGLE_SPAN_EXPORTERS` once."""


def read_settings(argv: Sequence[str], environ: Mapping[str, str]) -> SvcSettings:
    """Read the command line (without the program's name) and the environment.

    Anything wrong: one line on stderr, and `SystemExit` with status 2. `--version` and `--help`
    answer on stdout and exit with 0.
    """
    options = options_of(SvcSettings)
    parser = command_line(PROGRAM, options, SvcSettings.VARIABLES_ALONE)
    given = read_options(parser, options, argv=argv, environ=environ)
    settings = SvcSettings(**given)
    try:
        settings = complete_export(settings, environ, given=given)
        settings = complete_server(settings, kubeconfig=str(settings.kubeconfig or ""))
        return evolve(settings, nodes_tls=_nodes_tls(settings))
    except ValueError as error:
        parser.error(str(error))


def _nodes_tls(settings: SvcSettings) -> NodesTls | None:
    return nodes_tls(
        settings.node_authority,
        settings.node_certificate,
        settings.node_key,
        settings.node_server_name,
    )
