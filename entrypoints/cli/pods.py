"""`pods`: what runs, what it is called, and what a session would take of it."""

import argparse
from collections.abc import Sequence

from ...client import Container, Pod
from ...client.reading import read_pods
from ...client.request import pods_path
from ...domain.model.selector import ContainerSelector
from .command import Command, Invocation, UsageError
from .connecting import connect
from .exit_codes import ExitCode
from .table import NODE, Column, Row, Table, with_nodes
from .target import add_selection_options, is_narrowed, selection

COLUMNS = (
    Column(title="NAMESPACE", flexible=True),
    Column(title="POD", flexible=True),
    Column(title="CONTAINER", flexible=True),
    Column(title="TASKS", right=True, rank=1),
    Column(title="RUNTIME", rank=3, flexible=True),
    Column(title=NODE.title, rank=4, flexible=True),
    Column(title="IMAGE", rank=5, flexible=True),
    Column(title="CONTAINER-ID", wide=True, rank=6, flexible=True),
    Column(title="LABELS", wide=True, rank=7, flexible=True),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add a selection, in the words of `trace`."""
    parser.add_argument(
        "--match",
        nargs="+",
        metavar=("[NAMESPACE/]POD", "CONTAINER"),
        default=(),
        help="only what a session of these words would trace; *, ? and [abc] match",
    )
    add_selection_options(parser)


async def run(invocation: Invocation) -> int:
    """List pods and containers: all, or what a session would take."""
    options = invocation.options
    words = options.match
    if len(words) > 2:  # noqa: PLR2004 - POD CONTAINER
        raise UsageError("--match takes [NAMESPACE/]POD and perhaps CONTAINER; quote wildcards.")
    selector = selection(options, words)
    async with connect(invocation) as tracer:
        answer = await tracer.answer("GET", _path(options, words))
    body, failed = answer.body, answer.node_errors
    pods = read_pods(body)
    if not (words or is_narrowed(options) or options.vmm):
        invocation.output.show(document=body, table=pods_table(pods), failed=failed)
        return ExitCode.FINE
    invocation.output.show(document=body, table=preview_table(pods, selector), failed=failed)
    if invocation.output.for_people:
        for sentence in (one.refused for pod in pods for one in pod.containers if one.refused):
            invocation.output.note(f"Not traced: {sentence}")
    return ExitCode.FINE


def _path(options: argparse.Namespace, words: Sequence[str]) -> str:
    pod, container = (*words, "", "")[:2]
    return pods_path(
        pod=pod,
        container=container,
        namespace=options.namespace,
        labels=options.selector,
        vmm=options.vmm,
    )


def pods_table(pods: tuple[Pod, ...]) -> Table:
    """Make a row of every container."""
    rows = [_row(one) for pod in pods for one in pod.containers]
    return Table(columns=_columns(pods), rows=rows, empty="No container runs here.")


def preview_table(pods: tuple[Pod, ...], selector: ContainerSelector) -> Table:
    """Make a row of every container that a session would take."""
    rows = [_row(one) for pod in pods for one in pod.containers if not one.refused]
    if pods:
        empty = "A session would be refused: it may trace none of what matches."
    else:
        empty = f"No running container matches {selector}."
    return Table(columns=_columns(pods), rows=rows, empty=empty)


def _columns(pods: tuple[Pod, ...]) -> Sequence[Column]:
    return with_nodes(COLUMNS, (one.node for pod in pods for one in pod.containers))


def _row(one: Container) -> Row:
    labels = ",".join(f"{name}={value}" for name, value in one.labels.items())
    runtime = f"{one.runtime} (VM)".strip() if one.isolated else one.runtime
    return (
        one.namespace or "-",
        one.pod,
        one.name,
        str(len(one.tasks)),
        runtime or "-",
        one.node,
        one.image or "-",
        one.container_id,
        labels or "-",
    )


COMMAND = Command(
    name="pods",
    summary="list pods and containers that can be traced",
    synopsis="[OPTIONS] [--match [NAMESPACE/]POD [CONTAINER]]",
    examples=(
        "pods",
        "pods -o wide",
        "pods --match 'shop/web-[0-4]' nginx",
        "pods -n shop -l 'app=web,tier notin (canary)'",
        "pods --server http://worker-1:8080 -o json",
        "pods --cluster --node 'worker-[12]'",
    ),
    add_options=add_options,
    run=run,
)
