"""Finding the sockets of container runtimes."""

import asyncio
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from ...domain.model.cri_sockets import candidate_sockets
from ...ports.container_runtimes import ContainerRuntime


@frozen(kw_only=True)
class CriRuntimes:
    """Looks for sockets where runtimes listen, or takes the one socket at `endpoint`.

    `procfs` is the host's: where it is not `/proc`, the host's own folders are looked at too.
    """

    endpoint: str = ""
    procfs: Path = Path("/proc")
    run_paths: tuple[Path, ...] = (Path("/run"), Path("/var/run"))

    async def endpoints(self) -> tuple[str, ...]:
        """List the sockets that are there now, each once; a given one in any case."""
        if self.endpoint:
            return (self.endpoint,)
        return await asyncio.to_thread(lambda: tuple(self._sockets()))

    def open(self, endpoint: str) -> ContainerRuntime:
        """Prepare to ask a runtime; nothing is sent yet."""
        # Where there is no runtime, gRPC and its 15 MB need not be loaded.
        from .discovery import CriPodDiscovery  # noqa: PLC0415

        return CriPodDiscovery.open(endpoint)

    def _sockets(self) -> Iterator[str]:
        host_root = "" if self.procfs == Path("/proc") else f"{self.procfs}/1/root"
        seen: set[tuple[int, int]] = set()
        for path in candidate_sockets([str(one) for one in self.run_paths], host_root=host_root):
            identity = _socket_identity(path)
            # /var/run mostly is /run, and a host's folder may be seen in two places.
            if identity and identity not in seen:
                seen.add(identity)
                yield path


def _socket_identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISSOCK(found.st_mode) else None
