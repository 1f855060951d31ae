"""What kubectl asks a plug-in for when a word is completed (`kubectl_complete-ctrace`)."""

from collections.abc import Mapping, Sequence

from .command import Command
from .completion import describe, values_of

NO_FILES, FILES = ":4", ":0"
"""The last line, cobra's own: whether names of files are words, too."""


def completions(words: Sequence[str], commands: Mapping[str, Command]) -> list[str]:
    """Return lines to print: the words that may stand in the place of the last one."""
    *typed, current = words or [""]
    if "--" in typed:
        return [NO_FILES]
    described = describe(commands)
    values = {flag: some for flags, some in values_of(described).items() for flag in flags}
    if typed and typed[-1] in values:
        choices = values[typed[-1]]
        return [FILES] if choices is None else [*_those(choices, current), NO_FILES]
    itself, *others = described
    named = {one.name: one for one in others}
    command = next((named[one] for one in typed if one in named), itself)
    fitting = command.flags if current.startswith("-") else " ".join(command.choices)
    return [*_those(fitting.split(), current), NO_FILES]


def _those(words: Sequence[str], begin: str) -> list[str]:
    return [one for one in words if one.startswith(begin)]
