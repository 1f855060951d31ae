"""What the node role can be told, by flags and by variables of its environment."""

# ruff: noqa: RUF009 - `option` makes a field, as attrs.field does

import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import Factory, frozen

from ...domain.model.cri_sockets import endpoint_path
from .. import values
from ..export_settings import complete_export, exporters_option
from ..options import command_line, last, option, options_of, read_options
from ..server_settings import complete_server
from .guest_settings import GuestSettings
from .later import LATER

PROGRAM = "tracer-node"
EXPORTERS = ("console", "file", "file:perfetto", "file:jsonl", "jaeger", "otlp")
DEFAULT_EXPORTERS = ("console",)

MAX_SESSIONS = 65536
MIN_BUFFER_KIB = 4
MAX_BUFFER_KIB = 4 * 2**20
"""4 GiB per CPU."""


def _node_name(text: str) -> str:
    return values.one_line(text) or socket.gethostname()


def _paths(texts: Sequence[str]) -> tuple[Path, ...]:
    return tuple(values.path(text) for text in texts)


@frozen(kw_only=True)
class NodeSettings(GuestSettings):
    """Everything the node role is told; the wiring gets it whole."""

    SECTION = "The node"
    VARIABLES = "TRACER"

    node_name: str = option(
        "--node-name",
        "TRACER_NODE_NAME",
        default=Factory(socket.gethostname),
        parse=last(_node_name),
        meaning="the node's name in logs, answers, traces, and the names of tracefs instances",
        default_text="the host name",
    )
    """What the node is called in logs, answers and traces."""

    pod_name: str = option(
        "--pod-name",
        "TRACER_POD_NAME",
        default="",
        parse=last(values.one_line),
        meaning="the pod this tracer itself runs in: the container runtime that knows it is asked",
    )
    """The pod this tracer itself runs in, or the empty string."""

    cri_endpoint: str = option(
        "--cri-endpoint",
        "TRACER_CRI_ENDPOINT",
        default="",
        parse=last(endpoint_path),
        meaning="socket of the container runtime, with or without unix://",
        default_text="those below --run-path are looked for",
    )
    """Path of the socket on which the container runtime listens, or the empty string."""

    run_paths: tuple[Path, ...] = option(
        "--run-path",
        "TRACER_RUN_PATHS",
        default=(Path("/run"), Path("/var/run")),
        parse=_paths,
        split=values.words,
        meaning="where runtimes have their sockets and names of containers",
        repeatable=True,
    )
    """Where container runtimes listen and keep their state; a missing folder is no error."""

    procfs_path: Path = option(
        "--procfs-path",
        "TRACER_PROCFS_PATH",
        default=Path("/proc"),
        parse=last(values.folder),
        meaning="where the host's procfs is mounted",
    )
    """Where the host's procfs is mounted."""

    sysfs_path: Path = option(
        "--sysfs-path",
        "TRACER_SYSFS_PATH",
        default=Path("/sys"),
        parse=last(values.folder),
        meaning="where the host's sysfs is mounted; tracefs is looked for below it",
    )
    """Where the host's sysfs is mounted; tracefs is found through the mounts."""

    use_procfs: bool = option(
        "--use-procfs",
        "TRACER_FORCE_PROCFS",
        default=False,
        parse=last(values.switch),
        switch=True,
        meaning="find containers through procfs even if a container runtime answers",
    )
    """Whether containers are found through procfs, whatever runtimes there are."""

    mount_tracefs: bool = option(
        "--mount-tracefs",
        "TRACER_MOUNT_TRACEFS",
        default=False,
        parse=last(values.switch),
        switch=True,
        meaning="mount tracefs if it is not mounted",
    )
    """Whether to mount tracefs if it is not mounted."""

    max_sessions: int = option(
        "--max-sessions",
        "TRACER_MAX_SESSIONS",
        default=64,
        parse=last(values.number(1, MAX_SESSIONS)),
        meaning="how many sessions the node holds at most",
    )
    """How many sessions the node holds at most."""

    buffer_kib: int = option(
        "--buffer-kib",
        "TRACER_BUFFER_KIB",
        default=8192,
        parse=last(values.number(MIN_BUFFER_KIB, MAX_BUFFER_KIB)),
        meaning="size of the kernel's buffer per CPU and source",
        unit="KiB",
    )
    """Size of the kernel's ring buffer, per CPU and source, in KiB."""

    exporters: tuple[str, ...] = exporters_option(
        EXPORTERS, default=DEFAULT_EXPORTERS, meaning="where spans go"
    )
    """Where the spans of a session go that does not say so itself; each of `EXPORTERS` once."""


def read_settings(argv: Sequence[str], environ: Mapping[str, str]) -> NodeSettings:
    """Read the command line (without the program's name) and the environment.

    Anything wrong: one line on stderr, and `SystemExit` with status 2. `--version` and `--help`
    answer on stdout and exit with 0.
    """
    options = options_of(NodeSettings)
    parser = command_line(PROGRAM, {**options, **LATER}, NodeSettings.VARIABLES_ALONE)
    given = read_options(parser, {**options, **LATER}, argv=argv, environ=environ)
    settings = NodeSettings(**{name: value for name, value in given.items() if name in options})
    try:
        settings = complete_export(settings, environ, given=given)
        settings = complete_server(settings)
    except ValueError as error:
        parser.error(str(error))
    return settings
