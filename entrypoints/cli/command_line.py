"""From words to an invocation: commands, their options, and the options all of them have."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from ... import __version__
from ..options import CommandLine
from .command import Command, Server
from .output import OutputForm

PROGRAM = "container-tracer"
SERVER_VARIABLE = "CONTAINER_TRACER_SERVER"
TOKEN_VARIABLE = "CONTAINER_TRACER_TOKEN"  # noqa: S105 - the name of a variable

DESCRIPTION = (
    "See what the kernel does for exactly the containers you name. Without --server, commands"
    " start a private tracer for this machine, and end it."
)


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
    argv: Sequence[str], environ: Mapping[str, str], commands: Mapping[str, Command]
) -> Parsed:
    """Read a command line (without the program's name).

    Anything wrong: one line on stderr, and `SystemExit` with status 2.
    """
    words, dashes, behind = _split(argv)
    main = main_parser(commands)
    first = main.parse_args(words)
    if first.command is None:
        main.error(f"say what to do: {', '.join(commands)}; --help says more")
    command = commands[first.command]
    parser = command_parser(command)
    options = parser.parse_intermixed_args(first.rest)
    if dashes and not command.arguments_follow:
        parser.error("nothing may stand behind --")
    given = {**_DEFAULTS, **_globals(first), **_globals(options)}
    return Parsed(
        command=command,
        options=options,
        hook_arguments=tuple(behind),
        server=_server(parser, given, environ),
        form=OutputForm(given["output"]),
        colour=not given["no_color"],
    )


def main_parser(commands: Mapping[str, Command]) -> CommandLine:
    """Make the parser that finds the command."""
    listed = "\n".join(f"  {one.name:<11} {one.summary}" for one in commands.values())
    parser = CommandLine(
        prog=PROGRAM,
        description=DESCRIPTION,
        usage=f"{PROGRAM} [OPTIONS] COMMAND ...",
        epilog=f"commands:\n{listed}\n\n{PROGRAM} COMMAND --help says more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
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


def command_parser(command: Command) -> CommandLine:
    """Make the parser of one command, with its examples."""
    shown = "\n".join(f"  {PROGRAM} {one}" for one in command.examples)
    parser = CommandLine(
        prog=f"{PROGRAM} {command.name}",
        description=command.summary,
        usage=f"{PROGRAM} {command.name} {command.synopsis}".rstrip(),
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

    add("--server", metavar="URL", help=f"http://HOST:PORT or unix:/PATH [{SERVER_VARIABLE}]")
    add("--token-file", metavar="FILE", help=f"a token for the server [{TOKEN_VARIABLE}: itself]")
    add("-o", "--output", choices=[one.value for one in OutputForm], help="default table")
    add("--no-color", action="store_true", help="no colours [NO_COLOR]")
    add("--mount-tracefs", action="store_true", help="without --server: mount tracefs if needed")
    add("--verbose", action="store_true", help="without --server: show the private tracer's log")


_DEFAULTS: Mapping[str, Any] = {
    "server": None,
    "token_file": None,
    "output": OutputForm.TABLE.value,
    "no_color": False,
    "mount_tracefs": False,
    "verbose": False,
}


def _globals(options: argparse.Namespace) -> dict[str, Any]:
    return {name: value for name, value in vars(options).items() if name in _DEFAULTS}


def _split(argv: Sequence[str]) -> tuple[list[str], bool, list[str]]:
    if "--" not in argv:
        return list(argv), False, []
    at = list(argv).index("--")
    return list(argv[:at]), True, list(argv[at + 1 :])


def _server(parser: CommandLine, given: Mapping[str, Any], environ: Mapping[str, str]) -> Server:
    url = environ.get(SERVER_VARIABLE, "") if given["server"] is None else given["server"]
    token = environ.get(TOKEN_VARIABLE, "").strip()
    if given["token_file"] is not None:
        try:
            token = Path(given["token_file"]).read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            parser.error(f"--token-file: {getattr(error, 'strerror', None) or error}")
    return Server(
        url=url.strip(),
        token=token,
        mount_tracefs=given["mount_tracefs"],
        verbose=given["verbose"],
    )
