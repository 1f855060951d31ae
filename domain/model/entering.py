"""Processes between being put into a container and becoming its program.

Until then they run code of the runtime, which is nobody's.
"""

from attrs import define, field

from .launchers import starts_anew


@define(eq=False)
class Entering:
    """Says of processes, by pid, which container (a number) they are about to become part of."""

    _numbers: dict[int, int] = field(factory=dict)
    _commands: dict[int, str] = field(factory=dict)
    """What they were called before their latest name: by an exec the new one comes first."""

    def put(self, pid: int, container: int) -> None:
        """Let a process be about to enter a container."""
        self._numbers[pid] = container

    def inherit(self, pid: int, parent: int) -> None:
        """Let a new process go where its parent goes."""
        if parent in self._numbers:
            self._numbers[pid] = self._numbers[parent]

    def container_of(self, pid: int) -> int | None:
        """Return the number of the container a process is about to enter."""
        return self._numbers.get(pid)

    def goes_to(self, container: int) -> bool:
        """Tell whether a process is about to enter a container."""
        return container in self._numbers.values()

    def rename(self, pid: int, command: str) -> None:
        """Note the name that a process has just given up."""
        if pid in self._numbers:
            self._commands[pid] = command

    def execute(self, pid: int, file: bytes) -> int | None:
        """Let a process execute a file; return which container it has thereby entered."""
        if pid not in self._numbers or starts_anew(file, self._commands.get(pid, "")):
            return None
        return self.end(pid)

    def end(self, pid: int) -> int | None:
        """Forget a process; return where it was going."""
        self._commands.pop(pid, None)
        return self._numbers.pop(pid, None)
