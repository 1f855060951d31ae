"""`hooks`: what can be traced, and with which arguments."""

import argparse

from ...client import Hook
from ...client.reading import read_hooks
from .command import Command, Invocation, UsageError
from .connecting import connect
from .exit_codes import ExitCode
from .table import Cell, Column, Row, Table

COLUMNS = (
    Column(title="GROUP", rank=1),
    Column(title="HOOK"),
    Column(title="AVAILABLE"),
    Column(title="DESCRIPTION", flexible=True, prose=True),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the name of a hook."""
    parser.add_argument("hook", metavar="HOOK", nargs="?", help="show this one in full")


async def run(invocation: Invocation) -> int:
    """List hooks, or show one in full."""
    async with connect(invocation, root=False) as tracer:
        answer = await tracer.answer("GET", "/v1/trace-hooks")
    body, failed = answer.body, answer.node_errors
    hooks = read_hooks(body)
    wanted = invocation.options.hook
    if wanted is None:
        table = hooks_table(hooks, wide=invocation.output.wide)
        invocation.output.show(document=body, table=table, failed=failed)
        return ExitCode.FINE
    found = [hook for hook in hooks if hook.name == wanted]
    if not found:
        names = ", ".join(hook.name for hook in hooks)
        raise UsageError(f"There is no hook {wanted!r}; there are: {names}.")
    if invocation.output.for_people:
        for hook in found:
            _show(invocation, hook)
    else:
        documents = {
            group: one["Tracers"][wanted] for group, one in body.items() if wanted in one["Tracers"]
        }
        invocation.output.document(documents)
    invocation.output.failed_nodes(failed)
    return ExitCode.FINE


def hooks_table(hooks: tuple[Hook, ...], *, wide: bool = False) -> Table:
    """Make a row of every hook; `wide` shows all of their descriptions."""
    rows = [_row(hook, wide=wide) for hook in hooks]
    return Table(columns=COLUMNS, rows=rows, empty="This tracer has no hooks.")


def _row(hook: Hook, *, wide: bool) -> Row:
    told = " ".join(hook.description if wide else hook.description[:1])
    if not hook.available:
        return (hook.group, hook.name, Cell("no", "bad"), hook.reason or told)
    if hook.unavailable_on:
        return (hook.group, hook.name, Cell("in part", "warn"), f"{_elsewhere(hook)} {told}")
    return (hook.group, hook.name, Cell("yes", "good"), told)


def _elsewhere(hook: Hook) -> str:
    return f"Not on {', '.join(hook.unavailable_on)}."


def _show(invocation: Invocation, hook: Hook) -> None:
    lines = [f"{hook.name} ({hook.group})", *(f"  {line}" for line in hook.description)]
    if not hook.available:
        lines.append(f"  Not available: {hook.reason}")
    lines += [
        f"  Not available on {node}: {reason}" for node, reason in hook.unavailable_on.items()
    ]
    for argument in hook.arguments:
        flags = ", ".join(argument.flags)
        lines += ["", f"  {flags} {argument.value}".rstrip(), f"      {argument.description}"]
    invocation.output.text(lines)


COMMAND = Command(
    name="hooks",
    summary="list trace hooks, or explain one",
    synopsis="[OPTIONS] [HOOK]",
    examples=("hooks", "hooks trace_syscalls", "hooks -o yaml"),
    add_options=add_options,
    run=run,
)
