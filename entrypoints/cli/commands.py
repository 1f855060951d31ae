"""The commands, in the order in which they are shown."""

from collections.abc import Mapping

from . import doctor, hooks, pods, sessions, top, trace
from .command import Command
from .completion import completion_command

_WORKING: Mapping[str, Command] = {
    one.COMMAND.name: one.COMMAND for one in (pods, hooks, trace, top, sessions, doctor)
}

COMMANDS: Mapping[str, Command] = {**_WORKING, "completion": completion_command(_WORKING)}
