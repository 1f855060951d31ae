"""What a command is, and what it is given."""

import argparse
from collections.abc import Awaitable, Callable, Mapping

from attrs import frozen

from .output import Output
from .server import Server
from .stopping import Stop

NO_SERVER = "Sessions live in a tracer: name it with --server URL, or --cluster."


class UsageError(Exception):
    """What was asked for makes no sense; the text says why."""


@frozen(kw_only=True)
class Invocation:
    """One call of a command: its own options, what stood behind `--`, and where things go."""

    options: argparse.Namespace
    hook_arguments: tuple[str, ...]
    output: Output
    server: Server
    environ: Mapping[str, str]
    stop: Stop


@frozen(kw_only=True)
class Command:
    """A command of the program; `run` returns its exit code.

    `synopsis` is what follows the name in its usage. `arguments_follow` says that there may be
    hook arguments behind `--`.
    """

    name: str
    summary: str
    synopsis: str
    examples: tuple[str, ...]
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Invocation], Awaitable[int]]
    arguments_follow: bool = False
