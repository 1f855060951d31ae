"""From words to an invocation: commands, their options, and the options all of them have."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from ... import __version__
from ..options import CommandLine
from .command import Command
from .output import OutputForm
from .program import CLIENT, Program
from .server import DEFAULTS as SERVER_DEFAULTS
from .server import Server, add_server_options, read_server


@frozen(kw_only=True)
class Parsed:
    """What a command line says."""

    command: Command
    options: argparse.Namespace
    hook_arguments: tuple[str, ...]
    server: Server
    form: OutputForm
    colour: bool


def parse(
    argv: Sequence[str],
    environ: Mapping[str, str],
    commands: Mapping[str, Command],
    program: Program = CLIENT,
) -> Parsed:
    """Read a command line (without the program's name).

    Anything wrong: one line on stderr, and `SystemExit` with status 2.
    """
    words, dashes, behind = _split(argv)
    main = main_parser(commands, program)
    first = main.parse_args(words)
    if first.command is None:
        main.error(f"say what to do: {', '.join(commands)}; --help says more")
    command = commands[first.command]
    parser = command_parser(command, program)
    options = parser.parse_intermixed_args(first.rest)
    if dashes and not command.arguments_follow:
        parser.error("nothing may stand behind --")
    given = _given(first, options)
    try:
        server = read_server(given, environ, cluster=program.cluster)
    except ValueError as error:
        parser.error(str(error))
    return Parsed(
        command=command,
        options=options,
        hook_arguments=tuple(behind),
        server=server,
        form=OutputForm(given.output),
        colour=not given.no_color,
    )


def main_parser(commands: Mapping[str, Command], program: Program = CLIENT) -> CommandLine:
    """Make the parser that finds the command."""
    listed = "\n".join(f"  {one.name:<11} {one.summary}" for one in commands.values())
    parser = CommandLine(
        prog=program.typed,
        description=program.description,
        usage=f"{program.typed} [OPTIONS] COMMAND ...",
        epilog=f"commands:\n{listed}\n\n{program.typed} COMMAND --help says more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--version", action="version", version=f"{program.name} {__version__}")
    parser.add_argument(
        "command",
        nargs="?",
        default=None,
        choices=list(commands),
        metavar="COMMAND",
        help=argparse.SUPPRESS,
    )
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    add_global_options(parser)
    return parser


def command_parser(command: Command, program: Program = CLIENT) -> CommandLine:
    """Make the parser of one command, with its examples."""
    shown = "\n".join(f"  {program.typed} {one}" for one in command.examples)
    parser = CommandLine(
        prog=f"{program.typed} {command.name}",
        description=command.summary,
        usage=f"{program.typed} {command.name} {command.synopsis}".rstrip(),
        epilog=f"examples:\n{shown}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_options(parser)
    add_global_options(parser)
    return parser


def add_global_options(parser: argparse.ArgumentParser) -> None:
    """Add what every command takes, before its name or after it."""
    group = parser.add_argument_group("everywhere")

    def add(*flags: str, **how: Any) -> None:  # noqa: ANN401 - argparse's own
        group.add_argument(*flags, default=argparse.SUPPRESS, **how)

    add_server_options(add)
    add(
        "-o",
        "--output",
        choices=[one.value for one in OutputForm],
        help="form of what is shown; default table",
    )
    add("--no-color", action="store_true", help="no colours [NO_COLOR]")


_DEFAULTS: Mapping[str, Any] = {
    **SERVER_DEFAULTS,
    "output": OutputForm.TABLE.value,
    "no_color": False,
}


def _given(first: argparse.Namespace, then: argparse.Namespace) -> argparse.Namespace:
    """Put together what stands before the command and after it, which counts more."""
    given = {**_DEFAULTS, **_globals(first), **_globals(then)}
    nodes = (*getattr(first, "node", ()), *getattr(then, "node", ()))
    return argparse.Namespace(**{**given, "node": nodes})


def _globals(options: argparse.Namespace) -> dict[str, Any]:
    return {name: value for name, value in vars(options).items() if name in _DEFAULTS}


def _split(argv: Sequence[str]) -> tuple[list[str], bool, list[str]]:
    if "--" not in argv:
        return list(argv), False, []
    at = list(argv).index("--")
    return list(argv[:at]), True, list(argv[at + 1 :])
