"""`doctor`: what this machine, or a server, can and cannot trace, why, and how to mend it."""

import argparse
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...domain.model.cri_sockets import endpoint_path
from ...domain.model.diagnosis.finding import Finding, prevents_tracing
from ...domain.model.diagnosis.machine import diagnose
from ...domain.model.diagnosis.server import diagnose_server
from .. import values
from .command import Command, Invocation, UsageError
from .connecting import reach
from .examination import ExaminationSettings, examine
from .exit_codes import ExitCode
from .findings import closing_line, finding_lines, findings_document
from .server_examination import examine_server

RUN_PATHS = ("/run", "/var/run")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what is not measured, and where the host's files are."""
    parser.add_argument(
        "--no-measure",
        action="store_true",
        help="do not measure what tracing costs others (a third of a second)",
    )
    parser.add_argument(
        "--procfs-path",
        metavar="PATH",
        help="the host's procfs [TRACER_PROCFS_PATH]; default /proc",
    )
    parser.add_argument(
        "--sysfs-path", metavar="PATH", help="the host's sysfs [TRACER_SYSFS_PATH]; default /sys"
    )
    parser.add_argument(
        "--run-path",
        metavar="PATH",
        action="append",
        help="where CRI sockets are; repeatable [TRACER_RUN_PATHS]; default /run, /var/run",
    )
    parser.add_argument(
        "--cri-endpoint",
        metavar="SOCKET",
        help="the one CRI socket to look at [TRACER_CRI_ENDPOINT]; default all that are found",
    )


async def run(invocation: Invocation) -> int:
    """Diagnose, print, and tell by the exit code whether tracing is possible."""
    if invocation.server.mount_tracefs:
        raise UsageError("The doctor changes nothing: it does not take --mount-tracefs.")
    if invocation.server.stays:
        return await _server(invocation)
    findings = diagnose(await examine(_settings(invocation.options, invocation.environ)))
    return _show(invocation, findings)


async def _server(invocation: Invocation) -> int:
    server = invocation.server
    url = server.url or "The tracer-svc of the cluster"
    async with reach(server, invocation.environ) as tracer:
        facts = await examine_server(tracer, url=url)
    code = _show(invocation, diagnose_server(facts))
    return ExitCode.UNREACHABLE if facts.unreachable else code


def _show(invocation: Invocation, findings: Sequence[Finding]) -> int:
    output = invocation.output
    if output.for_people:
        output.lines(finding_lines(findings, width=output.width, colour=output.colour))
        output.lines(["", closing_line(findings)])
    else:
        output.document(findings_document(findings))
    return ExitCode.FAILED if prevents_tracing(findings) else ExitCode.FINE


def _settings(options: argparse.Namespace, environ: Mapping[str, str]) -> ExaminationSettings:
    run_paths = options.run_path or values.words(environ.get("TRACER_RUN_PATHS", "")) or RUN_PATHS
    return ExaminationSettings(
        node_name=environ.get("TRACER_NODE_NAME", "").strip() or socket.gethostname(),
        procfs=_path(options.procfs_path, environ.get("TRACER_PROCFS_PATH"), "/proc"),
        sysfs=_path(options.sysfs_path, environ.get("TRACER_SYSFS_PATH"), "/sys"),
        run_paths=tuple(_path(one) for one in run_paths),
        cri_endpoint=_endpoint(options.cri_endpoint or environ.get("TRACER_CRI_ENDPOINT", "")),
        measure=not options.no_measure,
    )


def _endpoint(text: str) -> str:
    try:
        return endpoint_path(text) if text.strip() else ""
    except ValueError as error:
        raise UsageError(f"{error}.") from error


def _path(*given: str | None) -> Path:
    try:
        return values.path(next(one for one in given if one))
    except ValueError as error:
        raise UsageError(f"{error}.") from error


COMMAND = Command(
    name="doctor",
    summary="tell what can be traced, what cannot, why, and how to mend it",
    synopsis="[OPTIONS]",
    examples=("doctor", "doctor --no-measure -o json", "doctor --server http://worker-1:8080"),
    add_options=add_options,
    run=run,
)
