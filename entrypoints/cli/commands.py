"""The commands, in the order in which they are shown."""

from collections.abc import Mapping

from . import doctor, hooks, pods
from .command import Command

COMMANDS: Mapping[str, Command] = {one.COMMAND.name: one.COMMAND for one in (pods, hooks, doctor)}
