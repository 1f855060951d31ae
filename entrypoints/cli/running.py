"""Running a command: signals around it, and every way it can end as an exit code."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence

from ...client import ClientError, InvalidUrl, ServerUnreachable
from .command import Command, Invocation, UsageError
from .command_line import parse
from .exit_codes import ExitCode
from .output import Output, make_output
from .program import CLIENT, Program
from .stopping import Stop


def run(
    argv: Sequence[str],
    environ: Mapping[str, str],
    commands: Mapping[str, Command],
    program: Program = CLIENT,
) -> int:
    """Run the command that a command line asks for; return the exit code."""
    parsed = parse(argv, environ, commands, program)
    output = make_output(
        parsed.form,
        stream=sys.stdout,
        errors=sys.stderr,
        environ=environ,
        colour=parsed.colour,
        program=program.name,
    )
    stop = Stop()
    invocation = Invocation(
        options=parsed.options,
        hook_arguments=parsed.hook_arguments,
        output=output,
        server=parsed.server,
        environ=environ,
        stop=stop,
    )
    try:
        return asyncio.run(_with_signals(parsed.command, invocation))
    except BrokenPipeError:
        return _nobody_reads()
    except (UsageError, InvalidUrl) as error:
        return _failed(output, error, ExitCode.USAGE)
    except ServerUnreachable as error:
        return _failed(output, error, ExitCode.UNREACHABLE)
    except ClientError as error:
        return _failed(output, error, ExitCode.FAILED)


async def _with_signals(command: Command, invocation: Invocation) -> int:
    stop = invocation.stop
    running = asyncio.create_task(_run(command, invocation), name=f"command {command.name}")
    stop.listen(running)
    try:
        return await running
    except asyncio.CancelledError:
        if not stop.number:
            raise
        return stop.exit_code


async def _run(command: Command, invocation: Invocation) -> int:
    return await command.run(invocation)


def _failed(output: Output, error: Exception, code: ExitCode) -> int:
    try:
        output.problem(str(error))
    except OSError:  # nobody reads that either
        return code
    return code


def _nobody_reads() -> int:
    """End quietly: whoever read our output has seen enough, as `head` has."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return ExitCode.FINE
