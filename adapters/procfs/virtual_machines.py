"""The programs that run virtual machines on this host."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from ...domain.model.process import is_vmm
from .errors import procfs_errors
from .files import names_in
from .processes import ProcessReader


@frozen(kw_only=True)
class ProcfsVirtualMachines:
    """Reads them from procfs, by the names of their programs."""

    procfs: Path = Path("/proc")

    async def command_lines(self) -> Sequence[str]:
        """List how they were started, words separated by blanks; raise `DiscoveryFailed`."""
        return await asyncio.to_thread(self._command_lines)

    def _command_lines(self) -> list[str]:
        with procfs_errors(self.procfs):
            reader = ProcessReader(str(self.procfs))
            pids = [pid for pid in names_in(str(self.procfs)) if pid.isdecimal()]
            stats = ((pid, reader.stat(pid)) for pid in pids)
            machines = [pid for pid, stat in stats if stat and stat.alive and is_vmm(stat.command)]
            return [line for pid in machines if (line := reader.command_line(pid))]
