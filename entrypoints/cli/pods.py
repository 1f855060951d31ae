"""`pods`: what runs, and what it is called."""

from ...client import Container, Pod
from ...client.reading import read_pods
from .command import Command, Invocation, no_options
from .connecting import connect
from .exit_codes import ExitCode
from .table import Column, Row, Table

COLUMNS = (
    Column(title="NAMESPACE", flexible=True),
    Column(title="POD", flexible=True),
    Column(title="CONTAINER", flexible=True),
    Column(title="TASKS", right=True, rank=1),
    Column(title="RUNTIME", rank=3, flexible=True),
    Column(title="NODE", rank=4, flexible=True),
    Column(title="IMAGE", rank=5, flexible=True),
    Column(title="CONTAINER-ID", wide=True, rank=6, flexible=True),
    Column(title="LABELS", wide=True, rank=7, flexible=True),
)


async def run(invocation: Invocation) -> int:
    """List pods and containers."""
    async with connect(invocation) as tracer:
        body = await tracer.ask("GET", "/v1/pods")
    invocation.output.show(document=body, table=pods_table(read_pods(body)))
    return ExitCode.FINE


def pods_table(pods: tuple[Pod, ...]) -> Table:
    """Make a row of every container."""
    rows = [_row(one) for pod in pods for one in pod.containers]
    return Table(columns=COLUMNS, rows=rows, empty="No container runs here.")


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
    synopsis="[OPTIONS]",
    examples=("pods", "pods -o wide", "pods --server http://worker-1:8080 -o json"),
    add_options=no_options,
    run=run,
)
